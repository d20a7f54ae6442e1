"""Configs whose teachers are folders of transformers, with a tiny model in the folder's place."""

from pathlib import Path

import clips
import pytest
import text_models
import torch
import transformers_models
from mmengine.dataset import pseudo_collate

from mmkd_video.core.registry import TRANSFORMS, build_model
from mmkd_video.recognizers.class_matching import name_classes
from mmkd_video.recognizers.config import read_config
from mmkd_video.teachers.probe_file import ProbeFile

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / 'configs' / 'foundation'
ELSEWHERE = ('videomaev2-g_to_vit-small_kinetics400', 'siglip-videomae_to_tsm-mobilenetv4_kinetics400')
CONFIGS = sorted(path.relative_to(ROOT) for path in FOLDER.glob('*.py') if path.stem not in ELSEWHERE)
SIZES = dict(student=(8, 64, 64))


LETTERS = 'abcdefghijklmnopqrstuvwxyz'


def in_the_place_of(config, folder, tmp_path):
    """Let a config read the folder of a tiny model; one with a classifier has as many classes, in another order."""
    number = config.model.student.cls_head.num_classes
    names = [f'class {LETTERS[index // 26]} {LETTERS[index % 26]}' for index in range(number)]
    (tmp_path / 'names.txt').write_text('\n'.join(names) + '\n')
    config.label_map = str(tmp_path / 'names.txt')
    config.model.input_size = SIZES
    if is_probed(config):
        transformers_models.write(folder, 'vjepa2_encoder')
        config.model.teacher.config, config.model.teacher.probe = f'hf::{folder}', str(tmp_path / 'probe.pth')
        probe = ProbeFile('attentive', 'last_hidden_state', 24, names, '', '', 1e-3, 0.0, 0.5)
        probe.write(tmp_path / 'probe.pth', probe.build())
    elif is_zero_shot(config):
        config.model.teacher.config.zero_shot = dict(templates=['a video of {}.'])
        config.model.teacher.config.source = f'hf::{text_models.write(folder, "clip").folder}'
    else:
        labels = dict(enumerate(reversed(names)))
        transformers_models.write(folder, 'videomae', settings=dict(id2label=labels, label2id={}))
        config.model.teacher.config = f'hf::{folder}'
    config.train_dataloader.dataset.pipeline[0].teacher = f'hf::{folder}'
    return names


def is_probed(config):
    return config.model.teacher.get('type') == 'ProbedTeacher'


def is_zero_shot(config):
    return not isinstance(config.model.teacher.config, str)


def source_of(config):
    return config.model.teacher.config.source if is_zero_shot(config) else config.model.teacher.config


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_step_trains_the_student(path, monkeypatch, tmp_path):
    transformers_models.library()
    monkeypatch.chdir(ROOT)
    config = read_config(str(path))
    assert source_of(config) == config.train_dataloader.dataset.pipeline[0].teacher
    names = in_the_place_of(config, tmp_path / 'folder', tmp_path)
    name_classes(config)
    config.model.student.backbone.update(dict.fromkeys({'pretrained', 'init_cfg'} & set(config.model.student.backbone)))
    model = build_model(config.model).train()
    teacher, number = model.teachers['teacher'], config.model.student.cls_head.num_classes
    if is_probed(config):
        assert teacher.classes is None and teacher.num_classes == number and teacher.probe.classes == names
    elif is_zero_shot(config):
        assert teacher.classes is None and teacher.num_classes == number and teacher.config.classes == names
    else:
        assert teacher.classes == list(range(number))[::-1]
    clips.encode(tmp_path / 'clip.mp4', 1, frames=40)
    views = TRANSFORMS.build(config.train_dataloader.dataset.pipeline[0])
    samples = [views(dict(filename=str(tmp_path / 'clip.mp4'), start_index=0, modality='RGB', label=3)) for _ in '12']
    frames = 8 if is_zero_shot(config) else transformers_models.FRAMES
    assert samples[0]['views']['teacher'].shape[1:] == (3, frames, 32, 32)
    losses = model(**model.data_preprocessor(pseudo_collate(samples), True), mode='loss')
    model.parse_losses(losses)[0].backward()
    assert all(each.grad is not None for each in model.student.parameters())
    (term,) = (losses[name] for name in ('loss_dist', 'loss_kd') if name in losses)
    assert torch.isfinite(term) and term > 0


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_it_fits_a_page(path):
    assert len((ROOT / path).read_text().splitlines()) <= 30
