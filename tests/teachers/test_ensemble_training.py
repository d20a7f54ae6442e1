"""Trainings with an ensemble: on ranks, resumed, averaged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import clips
import pytest
import tiny
import torch
from mmengine.config import Config

from mmkd_video.compat import safe_load
from mmkd_video.core.registry import MODELS
from mmkd_video.teachers.cache import CacheReader
from mmkd_video.teachers.ensemble import BestWeighting
from mmkd_video.workflows.cache.caching import cache_teacher

TESTS = Path(__file__).parents[1]
TERMS = [tiny.KD, dict(tiny.MAP, at=('backbone.layer1', 'a.backbone.layer1'))]


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('videos'), count=4)


def model(weighting):
    torch.manual_seed(5)  # the members are untrained: the same in each training
    members = {name: dict(config=tiny.recognizer(width), checkpoint=None) for name, width in (('a', 6), ('b', 4))}
    config = tiny.distiller(terms=TERMS)
    return dict(config, teacher=dict(type='TeacherEnsemble', members=members, weighting=weighting))


def steps(views):
    return [dict(type='DistillViews', student=clips.pipeline(layout='NCTHW'), teacher=views)]


def train(videos, work_dir, name, epochs, **extra):
    views = dict(a=clips.pipeline(frames=4, size=24, layout='NCTHW'))  # b sees the student's clip
    keys = {'train_dataloader.dataset.pipeline': steps(views), 'train_cfg.max_epochs': epochs}
    keys['param_scheduler'] = [dict(type='ConstantLR', factor=1.0)]  # whatever the number of epochs
    hooks = [dict(type='EMAHook')]
    return tiny.train(videos, work_dir, name, model('ca_mkd'), hooks=hooks, **keys, **extra)


@pytest.mark.slow
def test_a_resumed_training_is_the_whole_one(videos, tmp_path):
    whole, expected = train(videos, tmp_path / 'whole', 'whole', 2)
    train(videos, tmp_path / 'halves', 'first', 1)
    resumed, found = train(videos, tmp_path / 'halves', 'second', 2, resume=True)
    assert len(found) == 2 and found == expected[2:]
    for key, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[key], value), key
    kept = safe_load.load(tmp_path / 'whole' / 'epoch_2.pth')
    assert set(kept['state_dict']) == set(whole.model.student.state_dict())


@pytest.mark.slow
def test_a_member_may_be_cached(videos, tmp_path):
    torch.manual_seed(3)
    torch.save(dict(state_dict=MODELS.build(tiny.recognizer(6)).state_dict()), tmp_path / 'a.pth')
    a = dict(config=tiny.recognizer(6), checkpoint=str(tmp_path / 'a.pth'))
    given = Config(
        clips.runner_config(videos, tmp_path, tiny.distiller(terms=[tiny.KD]), clips.pipeline(layout='NCTHW'))
    )
    given.model.teacher = a
    cache_teacher(given, tmp_path / 'cache', views=2, seed=5)
    b = dict(config=tiny.recognizer(4), checkpoint=None)
    kept = dict(type='CachedTeacher', cache=str(tmp_path / 'cache'), teacher=a)
    config = tiny.distiller(terms=[tiny.KD])
    config['teacher'] = dict(type='TeacherEnsemble', members=dict(a=kept, b=b), weighting='best')
    seen = []
    weigh = BestWeighting.weigh
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BestWeighting, 'weigh', lambda self, step: seen.append(step.scores[0]) or weigh(self, step))
        runner, losses = tiny.train(videos, tmp_path / 'out', 'cached', config, **{'train_cfg.max_epochs': 2})
    assert len(losses) == 4 and all(each['loss_kd'] > 0 for each in losses)
    held = CacheReader(tmp_path / 'cache').read([0, 1, 2, 3] * 2, [0] * 4 + [1] * 4, ['logits'])['logits']
    assert len(seen) == 5  # and once when it was built
    for row in torch.cat(seen[1:]):
        assert (held - row).abs().amax(dim=1).min() < 1e-6


@pytest.mark.slow
def test_two_ranks_weigh_members_as_one_process_does(tmp_path):
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2', '--master_port=0', '--standalone']
    environment = dict(os.environ, PYTHONPATH=f'{TESTS}{os.pathsep}{TESTS.parent}', OMP_NUM_THREADS='1')
    command += [str(TESTS / 'ensemble_ranks.py'), str(tmp_path / 'report.json')]
    done = subprocess.run(command, cwd=TESTS.parent, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads((tmp_path / 'report.json').read_text())
    alone, ours = report['weights']
    assert ours == pytest.approx(alone, abs=1e-5) and min(alone) > 0.01 and max(alone) < 0.89
    assert report['worst'] < 1e-4
    assert report['in_reducer'] == report['expected']
