"""Configs whose teachers are folders of transformers, with a tiny model in the folder's place."""

from pathlib import Path

import clips
import pytest
import torch
import transformers_models
from mmengine.dataset import pseudo_collate

from mmkd_video.core.registry import TRANSFORMS, build_model
from mmkd_video.recognizers.class_matching import name_classes
from mmkd_video.recognizers.config import read_config

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted(path.relative_to(ROOT) for path in (ROOT / 'configs' / 'foundation').glob('*.py'))
SIZES = dict(student=(8, 64, 64))


def in_the_place_of(config, folder, tmp_path):
    """Let a config read the folder of a tiny model with as many classes, whose names are in another order."""
    number = config.model.student.cls_head.num_classes
    names = [f'class {index}' for index in range(number)]
    (tmp_path / 'names.txt').write_text('\n'.join(names) + '\n')
    labels = dict(enumerate(reversed(names)))
    transformers_models.write(folder, 'videomae', settings=dict(id2label=labels, label2id={}))
    config.label_map = str(tmp_path / 'names.txt')
    config.model.teacher.config = config.train_dataloader.dataset.pipeline[0].teacher = f'hf::{folder}'
    config.model.input_size = SIZES


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_step_trains_the_student(path, monkeypatch, tmp_path):
    transformers_models.library()
    monkeypatch.chdir(ROOT)
    config = read_config(str(path))
    assert config.model.teacher.config == config.train_dataloader.dataset.pipeline[0].teacher
    in_the_place_of(config, tmp_path / 'folder', tmp_path)
    name_classes(config)
    config.model.student.backbone.pretrained = config.model.student.backbone.init_cfg = None
    model = build_model(config.model).train()
    number = config.model.student.cls_head.num_classes
    assert model.teachers['teacher'].classes == list(range(number))[::-1]
    clips.encode(tmp_path / 'clip.mp4', 1, frames=40)
    views = TRANSFORMS.build(config.train_dataloader.dataset.pipeline[0])
    samples = [views(dict(filename=str(tmp_path / 'clip.mp4'), start_index=0, modality='RGB', label=3)) for _ in '12']
    assert samples[0]['views']['teacher'].shape[1:] == (3, transformers_models.FRAMES, 32, 32)
    losses = model(**model.data_preprocessor(pseudo_collate(samples), True), mode='loss')
    model.parse_losses(losses)[0].backward()
    assert all(each.grad is not None for each in model.student.parameters())
    assert torch.isfinite(losses['loss_dist'])


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_it_fits_a_page(path):
    assert len((ROOT / path).read_text().splitlines()) <= 30
