import os
import signal

import pytest
from guarded_run import make_runner
from locked_work_dir import is_free

from mmkd_video.hooks.work_dir_lock import hold_work_dir, release_work_dir


@pytest.fixture
def other(tmp_path):
    """A process that holds the folder, as a training does, with a child of its own, as a loader's worker is."""
    (begun, tell), (wait, end) = os.pipe(), os.pipe()
    process = os.fork()
    if not process:
        os.close(end)
        hold_work_dir(tmp_path)
        worker = os.fork()
        if worker:
            os.write(tell, b'.')
        os.read(wait, 1)
        os._exit(0)
    os.read(begun, 1)
    yield process
    os.close(end)


def test_a_second_training_is_refused_and_touches_nothing(tmp_path, other):
    half = tmp_path / '.epoch_1.pth.1.mmkd-tmp'
    half.write_text('being written')
    with pytest.raises(BlockingIOError, match=rf'{tmp_path} is in use: process {other} on .+ is training there; wait'):
        make_runner(tmp_path).train()
    assert half.read_text() == 'being written'
    assert not list(tmp_path.glob('*.pth'))


def test_its_death_frees_the_folder_although_its_workers_live_on(tmp_path, other):
    os.kill(other, signal.SIGKILL)
    os.waitpid(other, 0)
    hold_work_dir(tmp_path)
    release_work_dir(tmp_path)


def test_one_process_may_train_there_again_and_lets_it_go(tmp_path):
    make_runner(tmp_path, epochs=1).train()
    make_runner(tmp_path, epochs=2, resume=True).train()
    assert is_free(tmp_path)


def test_what_a_process_holds_is_not_free(tmp_path):
    hold_work_dir(tmp_path)
    assert not is_free(tmp_path)
    release_work_dir(tmp_path)
    assert is_free(tmp_path)
