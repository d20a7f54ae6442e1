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

from mmkd_video.compat import safe_load

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
