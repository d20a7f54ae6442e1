"""Compiled trainings are compared with the plain ones."""

import sys
import types

import clips
import pytest
import tiny
import torch
from mmengine.config import Config

from mmkd_video.compat import safe_load
from mmkd_video.core.registry import MODELS
from mmkd_video.hooks import DistillHook
from mmkd_video.teachers import FrozenTeacher


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('clips'), count=4)


def same_losses(ours, plain, within):
    assert len(ours) == len(plain)
    for mine, theirs in zip(ours, plain, strict=True):
        assert mine.keys() == theirs.keys()
        assert all(mine[key] == pytest.approx(theirs[key], rel=within, abs=within) for key in theirs), (mine, theirs)


def same_weights(ours, plain, within):
    for (name, mine), (other, theirs) in zip(ours.items(), plain.items(), strict=True):
        assert name == other
        assert torch.allclose(mine.float(), theirs.float(), rtol=within, atol=within), name


@pytest.mark.slow
def test_a_compiled_training_has_the_losses_of_the_plain_one(videos, tmp_path):
    small = tiny.recognizer(stage_blocks=(1,))
    plain, expected = tiny.train(videos, tmp_path / 'plain', 'plain', tiny.distiller(student=small))
    model = tiny.distiller(student=small, teacher=dict(compile=dict(backend='aot_eager')))
    compiled, found = tiny.train(videos, tmp_path / 'ours', 'compiled', model, compile=True)
    for each in (compiled.model.student, compiled.model.teachers['teacher'].module):
        assert each.backbone.layer1[0]._compiled_call_impl is not None
    assert 'train_step' not in vars(compiled.model)  # nor is the rest, which is Python
    same_losses(found, expected, 1e-4)
    same_weights(compiled.model.state_dict(), plain.model.state_dict(), 1e-4)
    saved = safe_load.load(tmp_path / 'ours' / 'epoch_2.pth')
    MODELS.build(small).load_state_dict(saved['state_dict'], strict=True)


@pytest.mark.slow
def test_a_training_is_resumed_compiled_and_then_plain_again(videos, tmp_path):
    def train(name, epochs, folder, **extra):
        loop = dict(max_epochs=epochs, val_interval=9)
        extra.setdefault('resume', epochs > 1)
        return tiny.train(videos, tmp_path / folder, name, param_scheduler=[], train_cfg=loop, **extra)

    whole, expected = train('whole', 3, 'whole', resume=False)
    parts = [train(f'part {n}', n, 'parts', compile=dict(backend='eager') if n == 2 else False) for n in (1, 2, 3)]
    compiled = [
        any(module._compiled_call_impl is not None for module in part.model.student.modules()) for part, _ in parts
    ]
    assert compiled == [False, True, False]
    same_losses([each for _, losses in parts for each in losses], expected, 1e-5)
    same_weights(parts[-1][0].model.state_dict(), whole.model.state_dict(), 1e-5)


@pytest.mark.parametrize(
    'asked, message',
    [
        ('yes', "^compile: got 'yes'; expected True or False or a dict of arguments of torch.compile"),
        (dict(bakend='eager'), "^compile: got the unknown key 'bakend'.*did you mean 'backend'"),
        (dict(mode='fast'), "^compile.mode: got 'fast'; expected 'default'"),
    ],
)
def test_a_wrong_setting_is_one_line(asked, message):
    runner = types.SimpleNamespace(cfg=Config(dict(compile=asked)))
    with pytest.raises((KeyError, ValueError), match=message) as caught:
        DistillHook().before_run(runner)
    assert '\n' not in str(caught.value)
    with pytest.raises((KeyError, ValueError), match=message.replace('^compile', '[Tt]eacher.compile')):
        FrozenTeacher(config=tiny.recognizer(), checkpoint=None, compile=asked)


def with_a_compiler(monkeypatch, found):
    monkeypatch.setitem(sys.modules, 'torch._inductor.cpp_builder', types.SimpleNamespace(get_cpp_compiler=found))


def test_no_cpp_compiler_is_one_line(monkeypatch):
    def none():
        raise RuntimeError('InvalidCxxCompiler: No working C++ compiler found')

    with_a_compiler(monkeypatch, none)
    with pytest.raises(ValueError, match='^compile: .*found no C\\+\\+ compiler; install g'):
        tiny.build(terms=[tiny.KD]).compile_parts({})


def test_what_has_a_tap_inside_or_is_computed_again_is_left_alone(monkeypatch):
    monkeypatch.setattr(torch.nn.Module, 'compile', lambda self, **options: None)  # importing the compiler takes long
    with_a_compiler(monkeypatch, lambda: 'g++')
    model = tiny.build(terms=[tiny.KD, dict(type='FitNetLoss', at='backbone.layer1.0:pre', weight=1.0)])
    assert model.compile_parts(dict(backend='eager')) == [
        'backbone.conv1',
        'backbone.layer1.0.conv2',
        'backbone.layer1.1',
    ]
    assert tiny.build(terms=[tiny.KD]).compile_parts({}) == ['backbone']
    model = tiny.build(terms=[tiny.KD], student=tiny.recognizer(with_cp=True))
    assert model.compile_parts({}) == ['backbone.conv1']
