"""Configs of robust distillation: what student and teacher see, and a step of each on rendered clips."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import mmkd_video  # noqa: F401
from mmkd_video.core.registry import MODELS
from mmkd_video.core.restoring import seed_everything
from mmkd_video.datasets import render_motion_clips
from mmkd_video.recognizers.plain_student import given_teachers, plain_student

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
FEW = {'train': 8, 'val': 1, 'test': 1}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    render_motion_clips(root / 'data/motion_clips', num_clips=FEW)
    return root


def first_batch(path, folder, monkeypatch, probability=1.0):
    init_default_scope('mmaction')
    monkeypatch.chdir(folder)
    loader = Config.fromfile(path).train_dataloader
    for step in loader.dataset.pipeline:
        if step.type == 'DistillViews':
            _set(step, probability)
    loader.update(num_workers=0, persistent_workers=False, batch_size=4)
    built = Runner.build_dataloader(loader, seed=0)
    seed_everything(0)
    return next(iter(built))


def _set(views, probability):
    if isinstance(views.teacher, str):
        views.teacher = str(CONFIGS.parent / views.teacher)
    else:
        views.teacher = {name: str(CONFIGS.parent / path) for name, path in views.teacher.items()}
    for step in views.student:
        if step.type == 'RandomCorruption':
            step.probability = probability


def test_the_student_sees_corrupted_clips_and_the_teacher_clean_ones(folder, monkeypatch):
    corrupted = first_batch(CONFIGS / 'robust/consistency.py', folder, monkeypatch)
    clean = first_batch(CONFIGS / 'robust/consistency.py', folder, monkeypatch, probability=0.0)
    assert all(map(torch.equal, corrupted['views']['teacher'], clean['views']['teacher']))
    assert not any(map(torch.equal, corrupted['inputs'], clean['inputs']))
    monkeypatch.chdir(CONFIGS.parent)
    config = Config.fromfile(CONFIGS / 'robust/consistency.py')
    config.model.teacher.checkpoint = None
    model = MODELS.build(config.model).train()
    losses = model(**model.data_preprocessor(corrupted, True), mode='loss')
    assert losses['loss_kd'] > 0
    model.parse_losses(losses)[0].backward()


@pytest.mark.parametrize('name', ['iad', 'mtard'])
def test_a_step_of_robust_distillation_has_every_term(name, folder, monkeypatch):
    path = CONFIGS / f'robust/{name}.py'
    batch = first_batch(path, folder, monkeypatch)
    monkeypatch.chdir(CONFIGS.parent)
    config = Config.fromfile(path)
    for teacher in given_teachers(config.model.teacher).values():
        teacher.checkpoint = None
    config.model.attack.steps = 1
    model = MODELS.build(config.model).train()
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    terms = dict(iad=['loss_iad'], mtard=['loss_kd_attacked', 'loss_kd_clean'])[name]
    assert all(losses[term] > 0 for term in terms)
    if name == 'mtard':
        factors = [model.training_state.terms[term].weighting.factor.item() for term in ('kd_attacked', 'kd_clean')]
        assert sum(factors) == pytest.approx(1) and all(each == pytest.approx(0.5) for each in factors)
    model.parse_losses(losses)[0].backward()


def test_only_the_training_is_corrupted():
    alone = plain_student(Config.fromfile(CONFIGS / 'robust/consistency.py'))
    kinds = {
        key: [step.type for step in alone[f'{key}_dataloader'].dataset.pipeline] for key in ('train', 'val', 'test')
    }
    assert kinds['train'][2:4] == ['DecordDecode', 'RandomCorruption']
    assert 'RandomCorruption' not in kinds['val'] + kinds['test']
