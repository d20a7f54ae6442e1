"""The teacher itself, shown one frame of a clip sixteen times, stays at chance; shown the clip, it learns."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

import mmkd_video  # noqa: F401
from mmkd_video.core.registry import MODELS
from mmkd_video.datasets.motion_clips import clip_rng, render_clip

CONFIG = Path(__file__).resolve().parents[2] / 'configs/teachers/i3d_motion.py'
NUM_CLIPS = {'train': 640, 'val': 240}
EPOCHS, BATCH = 8, 16


def clips_of(split: str, frozen: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Return clips ``(N, 1, 3, 16, 48, 48)``, uint8, and labels ``(N,)``."""
    labels = torch.arange(NUM_CLIPS[split]) % 8
    clips = []
    for index, label in enumerate(labels.tolist()):
        clip = render_clip(split, label, clip_rng(0, split, index))[4:20, 8:56, 8:56]
        clips.append(np.repeat(clip[index % 16][None], 16, axis=0) if frozen else clip)
    return torch.from_numpy(np.stack(clips)).permute(0, 4, 1, 2, 3)[:, None].contiguous(), labels


@pytest.mark.full
@pytest.mark.parametrize('frozen', [True, False])
def test_i3d_needs_more_than_one_frame(frozen: bool):
    torch.manual_seed(0)
    init_default_scope('mmaction')
    model = MODELS.build(Config.fromfile(CONFIG).model)
    model.init_weights()
    clips, labels = clips_of('train', frozen)
    steps = EPOCHS * len(clips) // BATCH
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, steps, pct_start=0.1, cycle_momentum=False)
    for step in range(steps):
        if step % (len(clips) // BATCH) == 0:
            order = torch.randperm(len(clips))
        chosen = order[step * BATCH % len(clips) :][:BATCH]
        loss = torch.nn.functional.cross_entropy(_scores(model, clips[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        scheduler.step()
    model.eval()
    clips, labels = clips_of('val', frozen)
    with torch.no_grad():
        guesses = torch.cat([_scores(model, part).argmax(1) for part in clips.split(40)])
    accuracy = (guesses == labels).float().mean()
    assert accuracy < 0.2 if frozen else accuracy > 0.6


def _scores(model: torch.nn.Module, clips: torch.Tensor) -> torch.Tensor:
    inputs = (clips[:, 0].float() - 114.75) / 57.38
    return model.cls_head(model.backbone(inputs))
