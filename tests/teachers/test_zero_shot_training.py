"""A student that learns from the names of its classes alone, on real clips."""

import clips
import numpy as np
import pytest
import text_models
import tiny
import torch
from mmengine.config import Config

from mmkd_video.workflows.cache.caching import cache_teacher
from mmkd_video.workflows.train.training import build_runner

COUNT = 6


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    root = clips.make_set(tmp_path_factory.mktemp('videos') / 'set', count=COUNT)
    (root / 'classes.txt').write_text('left\nright\nup\ndown\nTurnAround\n')
    return root


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('clip') / 'model'
    text_models.write(root, 'clip')
    return root


def config_of(videos, folder, work_dir):
    model = tiny.distiller(terms=[dict(type='KDLoss', at='logits', temperature=1.0)], task_weight=0.0)
    source = f'hf::{folder}'
    model['teacher'] = dict(config=dict(source=source, zero_shot=dict(templates=['a video of {}.', '{}'])))
    views = [dict(type='DistillViews', student=clips.pipeline(layout='NCTHW'), teacher=source)]
    config = Config(clips.runner_config(videos, work_dir, model, views, epochs=1))
    config.val_dataloader.dataset.pipeline = clips.pipeline(train=False, layout='NCTHW')
    config.test_dataloader, config.test_cfg = config.val_dataloader, dict(type='TestLoop')
    config.test_evaluator = config.val_evaluator
    config.custom_hooks = [dict(type='DistillHook'), dict(type='TeacherPredictionsHook')]
    config.model.input_size = dict(student=tiny.SIZE)
    return config


def with_other_labels(videos, root):
    """Return the same clips with labels that all are 0."""
    root.mkdir()
    for each in videos.glob('*.mp4'):
        (root / each.name).symlink_to(each)
    (root / 'list.txt').write_text(''.join(f'{index}.mp4 0\n' for index in range(COUNT)))
    (root / 'classes.txt').write_text((videos / 'classes.txt').read_text())
    return root


def test_a_student_learns_without_a_label(videos, folder, tmp_path):
    found = []
    for number, root in enumerate((videos, with_other_labels(videos, tmp_path / 'others'))):
        torch.manual_seed(0)
        runner = build_runner(config_of(root, folder, tmp_path / f'work{number}'))
        before = runner.model.state_dict()['backbone.conv1.conv.weight'].clone()
        runner.train()
        found.append(runner.model.state_dict())
        assert not torch.equal(found[-1]['backbone.conv1.conv.weight'], before)
        assert runner.model.teachers['teacher'].config.classes == ['left', 'right', 'up', 'down', 'TurnAround']
        (path,) = (tmp_path / f'work{number}').rglob('teacher_predictions_*.npz')
        kept = np.load(path)['probabilities']
        assert kept.shape == (COUNT, 5) and np.allclose(kept.sum(axis=1), 1, atol=1e-5)
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])
    assert not any('text' in key for key in found[0])


def test_its_answers_are_cached(videos, folder, tmp_path):
    done = cache_teacher(config_of(videos, folder, tmp_path), tmp_path / 'cache')
    again = cache_teacher(config_of(videos, folder, tmp_path), tmp_path / 'cache')
    assert (done.clips, done.computed, again.computed) == (COUNT, COUNT, 0)
