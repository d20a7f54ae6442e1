"""The configs of the real clips: they build, follow one environment variable, and take videos of any size."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import mmkd_video  # noqa: F401
from mmkd_video.datasets.motion_clips import encode_clip
from mmkd_video.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
EXPERIMENTS = ['teachers/i3d_ut_interaction.py', 'students/mobilenet_ut_interaction.py']


@pytest.fixture(scope='module')
def clips(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('ut')
    (root / 'videos').mkdir()
    rng = np.random.default_rng(0)
    for name, (frames, height, width) in {'hug.mp4': (53, 96, 128), 'kick.mp4': (30, 128, 96)}.items():
        encode_clip(rng.integers(0, 255, (frames, height, width, 3), dtype=np.uint8), root / 'videos' / name)
    for split in ('train', 'val', 'test'):
        (root / f'{split}.txt').write_text('hug.mp4 1\nkick.mp4 2\n')
    return root


@pytest.mark.parametrize('name', EXPERIMENTS)
def test_one_variable_moves_every_split(name: str, clips: Path, monkeypatch):
    assert Config.fromfile(CONFIGS / name).test_dataloader.dataset.data_root == 'data/ut_interaction'
    monkeypatch.setenv('UT_INTERACTION', str(clips))
    config = Config.fromfile(CONFIGS / name)
    init_default_scope('mmaction')
    model = MODELS.build(config.model)
    model.eval()
    for split in ('train', 'val', 'test'):
        loader = config[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False, batch_size=2)
        batch = model.data_preprocessor(next(iter(Runner.build_dataloader(loader))))
        with torch.no_grad():
            assert [len(each.pred_score) for each in model(**batch, mode='predict')] == [6, 6]
