"""VideoMAE V2-g at its full size, with random weights: a step on clips of a quarter of its pixels."""

from pathlib import Path

import clips
import pytest
import torch
from mmengine.dataset import pseudo_collate

from mmkd_video.core.registry import TRANSFORMS, build_model
from mmkd_video.recognizers.config import read_config

ROOT = Path(__file__).resolve().parents[2]
CONFIG = 'configs/foundation/videomaev2-g_to_vit-small_kinetics400.py'
PARAMETERS = 1_011_000_000  # of the paper, arXiv 2303.16727; patches of 14 pixels, 40 layers of 1408 channels
PIXELS = 112


@pytest.mark.slow
def test_a_step_of_vit_small_with_a_teacher_of_a_billion_parameters(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    config = read_config(CONFIG)
    for part in read_config(config.model.teacher.config).model, config.model.student:
        assert part.backbone.type == 'VisionTransformer'
    config.model.teacher.checkpoint, config.model.input_size = None, (16, PIXELS, PIXELS)
    for name in ('teacher', 'student'):
        pipeline = config.train_dataloader.dataset.pipeline[0][name]
        (size,) = (step for step in pipeline if step.type == 'Resize' and step.scale == (224, 224))
        size.scale = (PIXELS, PIXELS)
    model = build_model(config.model).train()
    teacher = model.teachers['teacher'].module
    assert abs(sum(each.numel() for each in teacher.parameters()) / PARAMETERS - 1) < 0.02
    clips.encode(tmp_path / 'clip.mp4', 1, frames=64)
    views = TRANSFORMS.build(config.train_dataloader.dataset.pipeline[0])
    sample = views(dict(filename=str(tmp_path / 'clip.mp4'), start_index=0, modality='RGB', label=3))
    assert sample['views']['teacher'].shape == (1, 3, 16, PIXELS, PIXELS)
    losses = model(**model.data_preprocessor(pseudo_collate([sample]), True), mode='loss')
    model.parse_losses(losses)[0].backward()
    assert torch.isfinite(losses['loss_kd']) and losses['loss_kd'] > 0
    assert all(each.grad is not None for each in model.student.parameters())
