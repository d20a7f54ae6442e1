"""SigLIP and VideoMAE, tiny ones in their place, teach the full TSM-MobileNetV4 by features of one scale."""

import string
from pathlib import Path

import clips
import pytest
import torch
import transformers_models
from mmengine.dataset import pseudo_collate

from mmkd_video.core.registry import TRANSFORMS, build_model
from mmkd_video.recognizers.class_matching import name_classes
from mmkd_video.recognizers.config import read_config
from mmkd_video.workflows.cache.feature_statistics import feature_statistics

ROOT = Path(__file__).resolve().parents[2]
CONFIG = 'configs/foundation/siglip-videomae_to_tsm-mobilenetv4_kinetics400.py'
CLIPS = 12


@pytest.mark.torchvision
@pytest.mark.slow
def test_two_teachers_of_one_scale_train_the_student(monkeypatch, tmp_path):
    transformers_models.library()
    monkeypatch.chdir(ROOT)
    config = read_config(CONFIG)
    names = [f'class {string.ascii_lowercase[i // 26]} {string.ascii_lowercase[i % 26]}' for i in range(400)]
    (tmp_path / 'names.txt').write_text('\n'.join(names) + '\n')
    transformers_models.write(tmp_path / 'siglip', 'siglip')
    labels = dict(enumerate(reversed(names)))
    transformers_models.write(tmp_path / 'videomae', 'videomae', settings=dict(id2label=labels, label2id={}))
    config.label_map = str(tmp_path / 'names.txt')
    views = config.train_dataloader.dataset.pipeline[0]
    for name in ('siglip', 'videomae'):
        folder = f'hf::{tmp_path / name}'
        assert config.model.teacher[name].config == views.teacher[name]
        config.model.teacher[name].config = views.teacher[name] = folder
    name_classes(config)
    lines = []
    for index in range(CLIPS):
        clips.encode(tmp_path / f'{index}.mp4', index % 4, frames=16, seed=index)
        lines.append(f'{index}.mp4 {index % 4}')
    (tmp_path / 'train.txt').write_text('\n'.join(lines) + '\n')
    config.train_dataloader.dataset.update(ann_file=str(tmp_path / 'train.txt'), data_prefix=dict(video=str(tmp_path)))
    for term in config.model.terms[1:]:
        term.target_norm.statistics = str(tmp_path / f'{term.name}.safetensors')
        done = feature_statistics(config, term.target_norm.statistics, teacher=term.name, batch_size=4, workers=0)
        assert list(done.taps) == ['pooled'] and done.clips == CLIPS
    torch.manual_seed(0)
    model = build_model(config.model).train()
    assert model.teachers['videomae'].classes == list(range(400))[::-1]
    pipeline = TRANSFORMS.build(views)
    samples = [
        pipeline(dict(filename=str(tmp_path / f'{index}.mp4'), start_index=0, modality='RGB', label=index))
        for index in range(2)
    ]
    losses = model(**model.data_preprocessor(pseudo_collate(samples), True), mode='loss')
    model.parse_losses(losses)[0].backward()
    for name in ('loss_kd', 'loss_siglip', 'loss_videomae'):
        assert torch.isfinite(losses[name]) and losses[name] > 0
    assert all(each.grad is not None for each in model.student.parameters())
