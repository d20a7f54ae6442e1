"""The configs of folders of videos: they build, follow the environment, and take videos of any size and length."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import mmkd_video  # noqa: F401
from mmkd_video.core.registry import MODELS
from mmkd_video.datasets.motion_clips import encode_clip

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
EXPERIMENTS = [
    ('ut_interaction', 'UT_INTERACTION', 'data/ut_interaction', 6),
    ('folder', 'CLIPS', 'data/my_clips', 5),
]


@pytest.fixture(scope='module')
def clips(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('clips')
    rng = np.random.default_rng(0)
    for name, (frames, height, width) in {'hug.mp4': (53, 96, 128), 'kick.mp4': (5, 128, 96)}.items():
        encode_clip(rng.integers(0, 255, (frames, height, width, 3), dtype=np.uint8), root / name)
    for split in ('train', 'val', 'test'):
        (root / f'{split}.txt').write_text('hug.mp4 1\nkick.mp4 2\n')
    (root / 'videos').symlink_to(root)  # where UT-Interaction has them
    return root


@pytest.mark.parametrize('side', ['teachers/i3d', 'students/mobilenet'])
@pytest.mark.parametrize(('name', 'variable', 'default', 'classes'), EXPERIMENTS)
def test_the_environment_moves_every_split(name, variable, default, classes, side, clips, monkeypatch):
    path = CONFIGS / f'{side}_{name}.py'
    assert Config.fromfile(path).test_dataloader.dataset.data_root == default
    monkeypatch.setenv(variable, str(clips))
    monkeypatch.setenv('CLASSES', str(classes))
    config = Config.fromfile(path)
    init_default_scope('mmaction')
    model = MODELS.build(config.model)
    model.eval()
    for split in ('train', 'val', 'test'):
        loader = config[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False, batch_size=2)
        batch = model.data_preprocessor(next(iter(Runner.build_dataloader(loader))))
        with torch.no_grad():
            assert [len(each.pred_score) for each in model(**batch, mode='predict')] == [classes, classes]
