"""The configs of the embedded experiment: each builds, and its clips go through its model."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import mmkd_video  # noqa: F401
from mmkd_video.core.registry import MODELS
from mmkd_video.datasets import render_motion_clips
from mmkd_video.datasets.motion_clips import CLASSES

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
EXPERIMENTS = [
    'teachers/i3d_motion.py',
    'teachers/c3d_motion.py',
    'students/mobilenet_motion.py',
    'students/resnet_motion.py',
]


@pytest.fixture(scope='module')
def clips(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('data') / 'motion_clips'
    render_motion_clips(root, num_clips={'train': 2, 'val': 2, 'test': 2})
    return root


@pytest.mark.parametrize('name', EXPERIMENTS)
def test_every_split_goes_through_the_model(name: str, clips: Path):
    config = Config.fromfile(CONFIGS / name)
    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    model.eval()
    for split in ('train', 'val', 'test'):
        loader = config[f'{split}_dataloader']
        assert loader.dataset.data_root == 'data/motion_clips'
        loader.dataset.data_root = str(clips)
        loader.update(num_workers=0, persistent_workers=False, batch_size=2)
        assert loader.dataset.ann_file == f'{split}.txt'
        batch = model.data_preprocessor(next(iter(Runner.build_dataloader(loader))))
        with torch.no_grad():
            predictions = model(**batch, mode='predict')
        assert [len(each.pred_score) for each in predictions] == [len(CLASSES)] * 2


@pytest.mark.parametrize('name', EXPERIMENTS)
def test_nothing_is_downloaded_flipped_or_chosen_by_its_score(name: str):
    config = Config.fromfile(CONFIGS / name)
    assert 'http' not in config.pretty_text and 'Flip' not in config.pretty_text
    assert config.default_hooks.checkpoint.save_best is None
    assert config.get('load_from') is None


def test_student_and_teacher_see_the_same_moment():
    """16 frames in a row, and every second of these."""
    student, teacher = (
        Config.fromfile(CONFIGS / name).train_pipeline[1]
        for name in ('students/mobilenet_motion.py', 'teachers/i3d_motion.py')
    )
    assert student.clip_len * student.frame_interval == teacher.clip_len * teacher.frame_interval == 16


@pytest.mark.parametrize('name', EXPERIMENTS)
def test_shared_settings_are_not_copied(name: str):
    assert len((CONFIGS / name).read_text().splitlines()) <= 30
