"""Teachers and peers that see motion beside a student of RGB: a step of each shipped config, on real clips."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmkd_video.core.registry import MODELS
from mmkd_video.datasets import render_motion_clips

ROOT = Path(__file__).resolve().parents[2]
SEEN = {
    'multiview/rgb_flow_to_mobilenet': ['loss_kd'],
    'modalities/flow_features_to_mobilenet': ['loss_kd', 'loss_mars'],
    'peers/mobilenet_and_flow': ['loss_kd', 'loss_teacher_mutual', 'loss_teacher_task'],
}


@pytest.fixture(scope='module')
def clips(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('data') / 'motion_clips'
    render_motion_clips(root, num_clips={'train': 2, 'val': 2, 'test': 2})
    return root


def batch_of(config: Config, clips: Path) -> dict:
    config.train_dataloader.dataset.data_root = str(clips)
    config.train_dataloader.update(num_workers=0, persistent_workers=False, batch_size=2)
    return next(iter(Runner.build_dataloader(config.train_dataloader)))


@pytest.mark.parametrize('name', SEEN)
def test_a_step_from_motion_to_rgb(name: str, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = Config.fromfile(f'configs/{name}.py')
    if 'checkpoint' in config.model.teacher:
        config.model.teacher.checkpoint = None
    torch.manual_seed(0)
    model = MODELS.build(config.model).train()
    batch = batch_of(config, clips)
    flow = batch['views']['teacher']
    flow = flow['flow'] if isinstance(flow, dict) else flow
    assert [tuple(each.shape) for each in flow] == [(1, 2, 16, 48, 48)] * 2
    assert all(110 < each.float().mean() < 146 and each.float().std() > 1 for each in flow), 'motion around none'
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    model.parse_losses(losses)[0].backward()
    assert all(losses[key].isfinite() and losses[key] > 0 for key in SEEN[name])
    assert all(each.grad is not None for each in model.student.parameters())
    peer = [each for key, each in model.training_state.named_parameters() if 'backbone' in key]
    assert bool(peer) == name.startswith('peers/') and all(each.grad.abs().sum() > 0 for each in peer)


@pytest.mark.parametrize('split', ['train', 'val', 'test'])
def test_the_teacher_of_rgb_and_flow_takes_every_split(split: str, clips: Path) -> None:
    config = Config.fromfile(ROOT / 'configs/teachers/rgb_flow_motion.py')
    loader = config[f'{split}_dataloader']
    loader.dataset.data_root = str(clips)
    loader.update(num_workers=0, persistent_workers=False, batch_size=2)
    model = MODELS.build(config.model).eval()
    batch = model.data_preprocessor(next(iter(Runner.build_dataloader(loader))))
    assert batch['inputs']['present'].all()
    with torch.no_grad():
        assert [len(each.pred_score) for each in model(**batch, mode='predict')] == [8, 8]
