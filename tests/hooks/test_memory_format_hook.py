"""Channels last changes how weights lie in memory; the times that decide are made up here."""

import clips
import pytest
import tiny
import torch

from mmkd_video.benchmark.interleaved import Timings
from mmkd_video.compat import safe_load
from mmkd_video.core.registry import MODELS
from mmkd_video.hooks import MemoryFormatHook, memory_format_hook


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('clips'), count=4)


def is_last(model):
    weights = [layer.weight for layer in model.modules() if isinstance(layer, torch.nn.Conv3d)]
    return {weight.is_contiguous(memory_format=torch.channels_last_3d) for weight in weights if weight.shape[1] > 1}


def hooked(**settings):
    return dict(hooks=[dict(type='MemoryFormatHook', **settings)], train_cfg=dict(max_epochs=1))


@pytest.fixture(scope='module')
def plain(videos, tmp_path_factory):
    folder = tmp_path_factory.mktemp('plain')
    return tiny.train(videos, folder, 'plain', hooks=[], train_cfg=dict(max_epochs=1))


@pytest.mark.parametrize('faster', ['student', pytest.param('teacher', marks=pytest.mark.slow)])
def test_the_faster_layout_is_kept_and_nothing_else_changes(faster, videos, tmp_path, plain, monkeypatch):
    asked, said = [], []

    def made_up(variants, rounds, device):
        assert list(variants) == ['as built', 'channels last'] and rounds.fewest == 5
        before = torch.get_rng_state()
        for run in variants.values():
            run()
        torch.rand(1)
        assert not torch.equal(before, torch.get_rng_state())
        asked.append(len(asked))
        wins = (len(asked) == 1) == (faster == 'student')
        return {'as built': Timings([9.0, 0.2, 0.2]), 'channels last': Timings([0.1 if wins else 0.3] * 3)}

    monkeypatch.setattr(memory_format_hook, 'measure_interleaved', made_up)
    monkeypatch.setattr(memory_format_hook, 'print_log', lambda line, **_: said.append(line))
    (expected, losses), (ours, found) = plain, tiny.train(videos, tmp_path, f'ours {faster}', **hooked())
    for mine, theirs in zip(found, losses, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-4)
    states = ours.model.state_dict(), expected.model.state_dict()
    assert all(torch.allclose(states[0][key], value, atol=1e-4) for key, value in states[1].items())
    assert ours.model.state_dict()['backbone.conv1.bn.num_batches_tracked'] == 2
    assert is_last(ours.model.student) == {faster == 'student'}
    assert is_last(ours.model.teachers['teacher'].module) == {faster == 'teacher'}
    winner = 'channels last (channels last 100 ms, as built 200 ms)'
    loser = 'as built (channels last 300 ms, as built 200 ms)'
    order = (winner, loser) if faster == 'student' else (loser, winner)
    assert said == ['MemoryFormatHook: student {}, teacher {}'.format(*order)]
    saved = safe_load.load(tmp_path / 'epoch_1.pth')
    MODELS.build(tiny.recognizer()).load_state_dict(saved['state_dict'], strict=True)


def test_timing_leaves_the_model_and_the_random_state_as_they_are(monkeypatch):
    network = tiny.build(student=tiny.recognizer(dropout=0.5)).student
    before = {key: value.clone() for key, value in network.state_dict().items()}
    state = torch.get_rng_state()
    inputs = torch.randn(2, 1, 3, *tiny.SIZE, generator=torch.Generator().manual_seed(0))

    def run(copied):
        assert copied is not network
        copied.extract_feat(inputs, stage='head')[0].sum().backward()

    assert set(MemoryFormatHook(rounds=1)._time(network, run)) == {'as built', 'channels last'}
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(network.state_dict()[key], value) for key, value in before.items())
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.slow
@pytest.mark.parametrize('setting', [True, False])
def test_a_fixed_setting_is_not_timed(setting, videos, tmp_path, monkeypatch):
    monkeypatch.delattr(memory_format_hook, 'measure_interleaved')
    ours, _ = tiny.train(videos, tmp_path, f'fixed {setting}', **hooked(channels_last=setting))
    assert is_last(ours.model.student) == is_last(ours.model.teachers['teacher'].module) == {setting}


def test_frames_are_laid_out_too():
    student = MODELS.build(
        dict(type='Recognizer2D', backbone=dict(type='ResNet', depth=18, pretrained=None), cls_head=None)
    )
    memory_format_hook.lay_out_channels_last(student)
    assert student.backbone.layer1[0].conv1.conv.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_wrong_setting_is_one_line():
    with pytest.raises(ValueError, match="channels_last: got 'always'; expected True or False or 'auto'"):
        MemoryFormatHook(channels_last='always')
