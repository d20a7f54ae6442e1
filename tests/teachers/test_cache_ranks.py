"""Several processes share the work of a cache, go on after a kill, and learn from it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import clips
import pytest
import tiny
import torch
from mmengine.config import Config

from mmkd_video.core.registry import build_model
from mmkd_video.teachers.cache import CacheReader
from mmkd_video.workflows.cache.caching import cache_teacher

HERE = Path(__file__).parent
VIEWS = 12
pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('videos'), count=4)


@pytest.fixture(scope='module')
def config(videos, tmp_path_factory):
    folder = tmp_path_factory.mktemp('config')
    torch.manual_seed(3)
    torch.save(dict(state_dict=build_model(tiny.recognizer(8)).state_dict()), folder / 'teacher.pth')
    model = tiny.distiller([tiny.KD])
    model['teacher'] = dict(config=tiny.recognizer(8), checkpoint=str(folder / 'teacher.pth'))
    found = Config(clips.runner_config(videos, folder / 'run', model, clips.pipeline(layout='NCTHW'), epochs=2))
    found.custom_hooks = [dict(type='DistillHook'), dict(type='ReproducibleHook')]
    found.val_dataloader = found.val_cfg = found.val_evaluator = None
    found.dump(folder / 'mine.py')
    return folder / 'mine.py'


@pytest.fixture(scope='module')
def whole(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp('whole') / 'cache'
    cache_teacher(Config.fromfile(config), folder, views=VIEWS)
    return folder


def start(words, ranks=None):
    launch = ['-m', 'torch.distributed.run', f'--nproc_per_node={ranks}', '--standalone'] if ranks else []
    paths = os.pathsep.join(map(str, [HERE, HERE.parent, HERE.parents[1]]))
    environment = dict(os.environ, PYTHONPATH=paths, OMP_NUM_THREADS='1')
    return subprocess.Popen(
        [sys.executable, '-W', 'ignore', *launch, *map(str, words)],
        env=environment,
        cwd=HERE.parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def made(folder):
    path = folder / 'manifest.json'
    return [shard for shard in json.loads(path.read_text())['shards'] if shard] if path.exists() else []


def test_two_processes_go_on_where_one_was_killed_and_make_the_same_cache(config, whole, tmp_path):
    words = ['tools/cache_teacher.py', config, '--out', tmp_path / 'cache', '--views', VIEWS]
    alone = start(words)
    try:
        until = time.monotonic() + 120
        while len(made(tmp_path / 'cache')) < 2 and time.monotonic() < until:
            time.sleep(0.005)
    finally:
        alone.send_signal(signal.SIGKILL)
        alone.communicate()
    there = len(made(tmp_path / 'cache'))
    assert 2 <= there < VIEWS
    both = start([*words, '--launcher', 'pytorch'], ranks=2)
    said, _ = both.communicate(timeout=300)
    assert both.returncode == 0, said[-3000:]
    assert f'{4 * (VIEWS - there)} were made now' in said
    assert said.count('were made now') == 1
    ours, theirs = (CacheReader(folder).manifest for folder in (whole, tmp_path / 'cache'))
    assert ours == theirs  # with the checksums of all files


def test_the_processes_of_a_training_read_the_answers_to_their_own_clips(config, whole, tmp_path):
    training = Config.fromfile(config)
    training.model.pop('teacher')
    training.model['teacher'] = dict(type='CachedTeacher', cache=str(whole), clips_per_video=2)
    training.launcher, training.work_dir = 'pytorch', str(tmp_path / 'run')
    training.dump(tmp_path / 'cached.py')
    ranks = start([HERE / 'cached_ranks.py', tmp_path / 'cached.py', tmp_path], ranks=2)
    said, _ = ranks.communicate(timeout=300)
    assert ranks.returncode == 0, said[-3000:]
    first, second = (json.loads((tmp_path / f'rank{rank}.json').read_text()) for rank in (0, 1))
    assert first['weights'] == pytest.approx(second['weights'])
    notes = first['notes'] + second['notes']
    assert {sample for sample, _, _ in notes} == set(range(4))
    assert {view for _, view, _ in notes} == {0, 1}  # the first round of two epochs
    read = CacheReader(whole).read(*zip(*[note[:2] for note in notes], strict=True), ['logits'])
    assert torch.equal(read['logits'], torch.tensor([note[2] for note in notes]))
