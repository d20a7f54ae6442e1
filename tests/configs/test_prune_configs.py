"""Distilling while pruning, as the shipped config says, on a few of the embedded clips."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from mmkd_video.core.registry import HOOKS
from mmkd_video.datasets import render_motion_clips
from mmkd_video.pruning import count_params, history_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def config(monkeypatch):
    monkeypatch.chdir(ROOT)
    return Config.fromfile('configs/prune/i3d_to_mobilenet_pruned.py')


def test_steps_lie_within_the_training_and_leave_time_after_the_last(config):
    (settings,) = (hook for hook in config.custom_hooks if 'target' in hook)
    hook = HOOKS.build(settings)
    assert hook.points == [2, 3, 4, 5] and hook.points[-1] + 3 < config.train_cfg.max_epochs
    assert config.param_scheduler[-1].end == config.train_cfg.max_epochs


@pytest.mark.slow
def test_student_ends_with_half_of_its_parameters(config, tmp_path):
    render_motion_clips(tmp_path / 'clips', num_clips={'train': 8, 'val': 4, 'test': 4})
    for split in ('train', 'val', 'test'):
        loader = config[f'{split}_dataloader']
        loader.update(batch_size=4, num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(tmp_path / 'clips')
    config.model.teacher.checkpoint = None
    config.merge_from_dict(dict(train_cfg=dict(max_epochs=4, val_interval=4), work_dir=str(tmp_path / 'run')))
    config.custom_hooks = [
        hook | dict(begin=0, end=3) if 'target' in hook else hook
        for hook in config.custom_hooks
        if hook.type != 'TeacherPredictionsHook'
    ]
    runner = Runner.from_cfg(config)
    whole = count_params(runner.model.student)
    runner.train()
    assert len(history_of(runner.model.student)) == 4
    assert 0.45 * whole < count_params(runner.model.student) <= 0.5 * whole
