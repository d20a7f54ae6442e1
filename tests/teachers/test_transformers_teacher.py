"""``teacher=dict(config='hf::<folder>')``: a model of transformers teaches as any frozen teacher does."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import clips
import pytest
import tiny
import torch
import transformers_models
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope

from mmkd_video.compat import safe_load
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.compiling import compile_parts
from mmkd_video.teachers import CachedTeacher, FrozenTeacher, Probe
from mmkd_video.teachers.cache import CacheReader
from mmkd_video.workflows.cache.caching import cache_teacher

TESTS = Path(__file__).parents[1]
FEATURES = dict(type='FitNetLoss', at=('backbone.layer1', 'last_hidden_state'), weight=1.0)


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('videos'), count=4)


@pytest.fixture(scope='module')
def videomae(tmp_path_factory):
    return transformers_models.write(tmp_path_factory.mktemp('videomae'), 'videomae')


@pytest.fixture(scope='module')
def dinov2(tmp_path_factory):
    return transformers_models.write(tmp_path_factory.mktemp('dinov2'), 'dinov2_encoder')


def model(teacher, terms=(tiny.KD, FEATURES), **extra):
    config = tiny.distiller(terms=terms)
    del config['input_size']
    return dict(config, teacher=teacher, input_size=dict(student=tiny.SIZE), **extra)


def views(teacher):
    return [dict(type='DistillViews', student=clips.pipeline(layout='NCTHW'), teacher=teacher)]


def inputs(count=2):
    generator = torch.Generator().manual_seed(0)
    shape = (count, 1, 3, transformers_models.FRAMES, transformers_models.SIZE, transformers_models.SIZE)
    return torch.randn(shape, generator=generator)


def test_one_line_is_a_teacher(videomae):
    teacher = FrozenTeacher(config=videomae.config)
    found = teacher.bind(['logits', 'pooled', 'last_hidden_state'], Probe(None, {}, None))
    assert {tap: tuple(each.shape) for tap, each in found.items()} == dict(
        logits=(1, 5), pooled=(1, 24), last_hidden_state=(1, 24, 2, 4, 4)
    )
    expected = transformers_models.run(videomae, inputs()[:, 0]).logits
    torch.testing.assert_close(teacher.features(inputs())['logits'], expected, atol=1e-5, rtol=1e-5)
    assert teacher.num_classes == 5
    assert not any(each.requires_grad or each.is_leaf is False for each in teacher.module.parameters())
    assert not any(each.training for each in teacher.module.modules())
    weight, bias = teacher.classifier()
    torch.testing.assert_close(weight, videomae.model.classifier.weight.detach())
    torch.testing.assert_close(teacher.classify(found['pooled']), found['logits'], atol=1e-5, rtol=1e-5)
    assert bias.shape == (5,)


def test_none_as_checkpoint_is_the_architecture_alone(videomae):
    (videomae.folder / 'model.safetensors').rename(videomae.folder / 'moved')
    try:
        teacher = FrozenTeacher(config=videomae.config, checkpoint=None)
    finally:
        (videomae.folder / 'moved').rename(videomae.folder / 'model.safetensors')
    teacher.bind(['logits'], Probe(None, {}, None))
    expected = transformers_models.run(videomae, inputs()[:, 0]).logits
    assert (teacher.features(inputs())['logits'] - expected).abs().max() > 1e-3


def test_weights_that_an_own_training_wrote_are_taken(videomae, tmp_path):
    kept = FrozenTeacher(config=videomae.config).module.state_dict()
    kept['cls_head.fc_cls.bias'] = torch.arange(5.0)
    torch.save(dict(state_dict=kept), tmp_path / 'own.pth')
    teacher = FrozenTeacher(config=videomae.config, checkpoint=str(tmp_path / 'own.pth'))
    assert teacher.classifier()[1].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_moved_folder_is_the_same_teacher(videomae, tmp_path):
    shutil.copytree(videomae.folder, tmp_path / 'copy')
    assert (
        FrozenTeacher(config=f'hf::{tmp_path / "copy"}').fingerprint
        == FrozenTeacher(config=videomae.config).fingerprint
    )


def test_classes_are_selected(videomae):
    teacher = FrozenTeacher(config=videomae.config, classes=[3, 1])
    found = teacher.bind(['logits'], Probe(None, {}, None))
    assert found['logits'].shape == (1, 2) and teacher.num_classes == 2


def test_a_model_without_a_classifier_teaches_features_alone(dinov2, videos, tmp_path):
    teacher = dict(config=dinov2.config)
    runner, losses = tiny.train(
        videos, tmp_path, 'features', model(teacher, terms=(FEATURES,), task_weight=0.0),
        hooks=[dict(type='TeacherPredictionsHook')],
        **{'train_dataloader.dataset.pipeline': views(teacher), 'train_cfg.max_epochs': 1},
    )  # fmt: skip
    assert all(step['loss_fitnet'] > 0 and step['loss_cls'] == 0 for step in losses)
    teacher = runner.model.teachers['teacher']
    assert teacher.num_classes is None
    with pytest.raises(WrongValueError, match='has no class scores; leave out TeacherPredictionsHook'):
        teacher.predict({})
    with pytest.raises(WrongKeyError, match="a term reads 'logits', which this FrozenTeacher does not have"):
        MODELS.build(model(dict(config=dinov2.config)))


@pytest.mark.parametrize('precision', ['bf16', 'f32'])
def test_precision_of_the_teacher(videomae, precision):
    plain, other = (FrozenTeacher(config=videomae.config, **given) for given in ({}, dict(precision=precision)))
    taps = ['logits', 'hidden_states[1]', 'pooled']
    for each in (plain, other):
        each.bind(taps, Probe(None, {}, None))
    expected = plain.features(inputs())
    with torch.autocast('cpu', torch.bfloat16):
        found = other.features(inputs())
    for tap in taps:
        assert found[tap].dtype == torch.float32
        torch.testing.assert_close(found[tap], expected[tap], atol=1e-5 if precision == 'f32' else 0.1, rtol=0.1)
    same = torch.equal(found['logits'], expected['logits'])
    assert same is (precision == 'f32')


def test_compiled_it_says_the_same(videomae):
    plain, other = FrozenTeacher(config=videomae.config), FrozenTeacher(config=videomae.config)
    for each in (plain, other):
        each.bind(['logits', 'last_hidden_state'], Probe(None, {}, None))
    compile_parts(other.module, dict(backend='aot_eager'))
    for tap, expected in plain.features(inputs()).items():
        torch.testing.assert_close(other.features(inputs())[tap], expected, atol=1e-4, rtol=1e-4)


def test_a_training_on_real_videos_learns_from_it(videomae, videos, tmp_path):
    teacher = dict(config=videomae.config)
    runner, losses = tiny.train(
        videos, tmp_path, 'hf', model(teacher),
        hooks=[dict(type='TeacherPredictionsHook')],
        **{'train_dataloader.dataset.pipeline': views(teacher), 'train_cfg.max_epochs': 1},
    )  # fmt: skip
    assert len(losses) == 2 and all(step['loss_kd'] > 0 and step['loss_fitnet'] > 0 for step in losses)
    logged = [json.loads(line) for path in tmp_path.rglob('scalars.json') for line in path.read_text().splitlines()]
    assert any('agreement/top1' in line for line in logged)
    kept = safe_load.load(tmp_path / 'epoch_1.pth')['state_dict']
    assert set(kept) == set(MODELS.build(tiny.recognizer()).state_dict())


def test_predictions_are_the_librarys_on_its_own_view(videomae, videos):
    init_default_scope('mmaction')
    teacher = FrozenTeacher(config=videomae.config)
    sample = dict(filename=str(videos / '2.mp4'), start_index=0, modality='RGB', label=0)
    batch = pseudo_collate([Compose(teacher.config.val_pipeline)(sample)])
    pixels = (batch['inputs'][0].float() - 127.5) / 127.5
    expected = transformers_models.run(videomae, pixels).logits.softmax(dim=-1)
    torch.testing.assert_close(teacher.predict(batch), expected, atol=1e-5, rtol=1e-5)


def test_it_is_a_member_of_an_ensemble(videomae, dinov2, videos, tmp_path):
    members = dict(
        hf=dict(config=videomae.config),
        frames=dict(config=dinov2.config),
        own=dict(config=tiny.recognizer(4), checkpoint=None),
    )
    scored = {name: each for name, each in members.items() if name != 'frames'}
    teacher = dict(type='TeacherEnsemble', members=scored)
    terms = [tiny.KD, dict(FEATURES, at=('backbone.layer1', 'hf.last_hidden_state'))]
    asked = dict(model(teacher, terms), input_size=dict(student=tiny.SIZE, own=tiny.SIZE))
    runner, losses = tiny.train(
        videos, tmp_path, 'ensemble', asked,
        **{'train_dataloader.dataset.pipeline': views(dict(hf=members['hf'])), 'train_cfg.max_epochs': 1},
    )  # fmt: skip
    assert len(losses) == 2 and all(step['loss_kd'] > 0 for step in losses)


def test_its_answers_are_cached(videomae, videos, tmp_path):
    teacher = dict(config=videomae.config)

    def config(work_dir, model_config):
        told = Config(
            clips.runner_config(
                videos, work_dir, model_config, views(teacher), epochs=1,
                experiment_name=f'{work_dir.name}-{random.random()}',
            )
        )  # fmt: skip
        told.custom_hooks = [dict(type='DistillHook'), dict(type='ReproducibleHook')]
        told.val_dataloader = told.val_cfg = told.val_evaluator = None
        return told

    done = cache_teacher(config(tmp_path / 'making', model(teacher)), tmp_path / 'cache', views=1, seed=1)
    assert (done.computed, done.absent) == (4, 0)
    reader = CacheReader(tmp_path / 'cache')
    assert set(reader.manifest.taps) == {'logits', 'last_hidden_state'}
    assert CachedTeacher(cache=str(tmp_path / 'cache'), teacher=teacher).num_classes == 5


@pytest.mark.slow
def test_two_ranks_learn_as_one(videomae, tmp_path):
    out = tmp_path / 'found.json'
    command = [sys.executable, '-W', 'ignore', '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2']
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': f'{TESTS.parent}:{TESTS}'}
    done = subprocess.run(
        [*command, str(TESTS / 'transformers_ranks.py'), videomae.config, str(out)],
        env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(out.read_text())
    assert found['difference'] < 1e-5 * max(1.0, found['largest']) and found['largest'] > 0
