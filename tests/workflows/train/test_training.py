import os

import pytest
from locked_work_dir import is_free
from mmengine.config import Config

from mmkd_video.hooks.work_dir_lock import hold_work_dir
from mmkd_video.workflows.train import training


@pytest.fixture
def held(tmp_path):
    """A work dir in which another process trains."""
    (begun, tell), (wait, end) = os.pipe(), os.pipe()
    process = os.fork()
    if not process:
        os.close(end)
        hold_work_dir(tmp_path)
        os.write(tell, b'.')
        os.read(wait, 1)
        os._exit(0)
    os.read(begun, 1)
    yield tmp_path
    os.close(end)
    os.waitpid(process, 0)


def test_a_second_training_builds_nothing(held, monkeypatch):
    monkeypatch.setattr(training, 'build_runner', lambda config: pytest.fail('it would write its config there'))
    with pytest.raises(BlockingIOError, match='is in use'):
        training.train(Config(dict(work_dir=str(held))))


def test_a_failed_training_lets_its_work_dir_go(tmp_path, monkeypatch):
    monkeypatch.setattr(training, 'build_runner', lambda config: {}['missing'])
    with pytest.raises(Exception, match='missing'):
        training.train(Config(dict(work_dir=str(tmp_path))))
    assert is_free(tmp_path)
