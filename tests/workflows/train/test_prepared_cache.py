"""A training makes the cache of its teacher's answers before it begins: once, and only as it is asked for."""

import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from mmengine.config import Config

from mmkd_video.teachers.cache import CacheWriter, Manifest
from mmkd_video.workflows.train import prepared_cache
from mmkd_video.workflows.train.prepare import needed_parts, prepare
from mmkd_video.workflows.train.prepared_cache import PreparedCache

HASHES = dict.fromkeys(('teacher', 'student_pipeline', 'teacher_pipeline', 'names'), '0' * 16)


def manifest(**more):
    numbers = dict(dict(seed=3, samples=2, views=1, same_frames=1, classes=5, topk=None, rows=2), **more)
    return Manifest(**HASHES, **numbers, taps={'logits': (5,)})


def make(folder, **more):
    with CacheWriter(folder, manifest(**more)) as writer:
        for number in writer.missing:
            writer.write(number, [None, None])


def config_of(folder, **cache):
    teacher = dict(type='CachedTeacher', cache=str(folder))
    return Config(dict(model=dict(type='Distiller', teacher=teacher), prepare=dict(cache=cache)))


def test_a_cache_is_asked_for_by_the_command_that_makes_it(tmp_path):
    options = {'train_dataloader.batch_size': 4}
    config = config_of(tmp_path / 'c', config='live.py', views=4, taps=['logits', 'pooled'], topk=None, options=options)
    (part,) = needed_parts(config)
    assert not part.exists()
    assert part.command.endswith(
        f'live.py --out {tmp_path}/c --views 4 --taps logits pooled --cfg-options train_dataloader.batch_size=4'
    )
    with pytest.raises(FileNotFoundError, match=f'missing: the cache {tmp_path}/c. Run first:'):
        prepare(config, allowed=False)


def test_what_cannot_be_meant_is_told(tmp_path):
    with pytest.raises(KeyError, match='prepare.cache: got .*view'):
        needed_parts(config_of(tmp_path, config='live.py', view=4))
    with pytest.raises(KeyError, match="expected 'config', the distillation it is of"):
        needed_parts(config_of(tmp_path, teacher=dict(views=4)))
    with pytest.raises(KeyError, match=r"prepare.cache: got 'other'; the cached teachers of the model are \['teacher'"):
        needed_parts(config_of(tmp_path, other=dict(config='live.py')))


def test_a_cache_of_other_augmentations_is_told(tmp_path):
    make(tmp_path, views=2)
    assert PreparedCache(tmp_path, 'live.py', dict(views=2)).exists()
    prepare(config_of(tmp_path, config='live.py', views=2, seed=3))
    with pytest.raises(ValueError, match=r'was made with views=2; prepare.cache has 4 now: give the cache another'):
        prepare(config_of(tmp_path, config='live.py', views=4))


def test_two_that_want_one_cache_make_it_once(tmp_path, monkeypatch):
    begun = []

    def maker(command, **kwargs):
        begun.append(command)
        process = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(0.3)'])
        make(tmp_path)
        return process

    monkeypatch.setattr(prepared_cache, 'subprocess', SimpleNamespace(Popen=maker))
    part = PreparedCache(tmp_path, 'live.py')
    threads = [threading.Thread(target=part.make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) == 1 and part.exists()


def test_a_maker_that_fails_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(prepared_cache, 'MAKER', 'no.such.module')
    with pytest.raises(RuntimeError, match='was not made .exit code 1.; .* By hand: .*live.py --out'):
        PreparedCache(tmp_path, 'live.py').make()
