"""Where little is labelled: the distillation, and the student alone beside it."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import mmkd_video  # noqa: F401
from mmkd_video.datasets import render_motion_clips
from mmkd_video.recognizers.plain_student import plain_student

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
DISTILLED, ALONE = (
    CONFIGS / name for name in ('distill/i3d_to_mobilenet_few_labels.py', 'students/mobilenet_motion_few_labels.py')
)


@pytest.fixture(scope='module')
def loaders(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'motion_clips'
    render_motion_clips(root, num_clips={'train': 32, 'val': 2, 'test': 2})
    init_default_scope('mmaction')
    found = []
    for path in (DISTILLED, ALONE):
        loader = plain_student(Config.fromfile(path)).train_dataloader if path == ALONE else None
        loader = loader or Config.fromfile(path).train_dataloader
        loader.dataset.update(data_root=str(root), pipeline=[])
        loader.update(num_workers=0, persistent_workers=False, batch_size=8)
        found.append(Runner.build_dataloader(loader, seed=0))
    return found


def test_both_take_as_many_steps_and_see_the_same_labels(loaders):
    distilled, alone = (loader.batch_sampler for loader in loaders)
    assert len(distilled) == len(alone) == 4
    labels = [
        {info['filename'] for info in map(loader.dataset.get_data_info, range(32)) if info['label'] >= 0}
        for loader in loaders
    ]
    assert labels[0] == labels[1] and len(labels[0]) == 8  # one of each class
    assert all(info['label'] >= 0 for info in map(loaders[1].dataset.get_data_info, range(32)))


def test_half_of_a_batch_has_labels_when_it_is_distilled(loaders):
    for batch in loaders[0].batch_sampler:
        assert sum(loaders[0].dataset.get_data_info(index)['label'] >= 0 for index in batch) == 4


def test_the_student_of_a_comparison_is_the_plain_config():
    compared, plain = plain_student(Config.fromfile(DISTILLED)), Config.fromfile(ALONE)
    for key in ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler'):
        assert compared[key] == plain[key], key
