"""Schedules, weightings and losses of somebody else, named in a config as ours are."""

from typing import Any

import pytest
import torch
from distillations import batch, build, step
from torch import Tensor, nn

from mmkd_video.core.registry import MODELS, TASK_UTILS
from mmkd_video.schedules import Schedule
from mmkd_video.weightings import Weighting

KD = dict(type='KDLoss', at='logits', temperature=4.0)


@TASK_UTILS.register_module(name='Sawtooth')
class SawtoothSchedule(Schedule):
    """Up and down in turns of two steps."""

    def __init__(self, height: float = 1.0, **clock: Any) -> None:
        super().__init__(**clock)
        self.height = height

    def at(self, step: int, length: int) -> float:
        return self.value + self.height * (step % 2)

    def reaches(self) -> tuple[float, ...]:
        return self.value, self.value + self.height


@TASK_UTILS.register_module(name='ByLoss')
class ByLossWeighting(Weighting):
    """The larger the loss, the smaller its weight."""

    def forward(self, step):
        return 1 / (1 + step.raws[step.name])


@MODELS.register_module()
class RepeatConnector(nn.Module):
    """Gives each of the teacher's channels one of the student's, scaled."""

    def __init__(self, out_channels: int) -> None:
        super().__init__()
        self.out_channels, self.scale = out_channels, nn.Parameter(torch.ones(()))

    def forward(self, student: Tensor) -> Tensor:
        return student[:, [place % student.shape[1] for place in range(self.out_channels)]] * self.scale


@MODELS.register_module()
class ConfiguredLoss(nn.Module):
    """Has a part that is built from a config."""

    def __init__(self, inner: dict, factor: float = 1.0) -> None:
        super().__init__()
        self.inner, self.factor = MODELS.build(inner), factor

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return self.factor * self.inner(student, teacher)


def test_a_schedule_of_somebody_else_moves_weights_and_arguments():
    weight = dict(type='Sawtooth', value=1.0, height=2.0, by_epoch=False)
    model = build(terms=[dict(KD, weight=weight, temperature=dict(weight, value=2.0))])
    seen = []
    for now in range(3):
        model.set_progress(now, 0, 10, 10)
        losses = step(model, batch(model))
        seen.append((losses['loss_kd'] / losses['kd_raw']).item())
        assert model.training_state.terms['kd'].loss.temperature.item() == pytest.approx(2.0 + 2.0 * (now % 2))
    assert seen == pytest.approx([1.0, 3.0, 1.0], rel=1e-5)


def test_a_schedule_that_is_unknown_is_told_with_those_of_somebody_else():
    with pytest.raises(KeyError, match=r"unknown schedule type 'Sawtoth'; expected one of .*'Sawtooth'.*did you mean"):
        build(terms=[dict(KD, weight=dict(type='Sawtoth'))])


def test_a_connector_of_somebody_else_connects_and_learns():
    taps, connector = ('pooled', 'pooled'), dict(type='RepeatConnector')
    model = build(terms=[dict(type='FitNetLoss', at=taps, connector=connector, weight=1.0, name='ours')])
    step(*_with_batch(model))
    (connector,) = (each for each in model.training_state.modules() if isinstance(each, RepeatConnector))
    assert connector.scale.grad is not None and connector.scale.grad != 0


def test_a_weighting_of_somebody_else_weighs():
    losses = step(*_with_batch(build(terms=[dict(KD, weight=dict(type='ByLoss'))])))
    raw = losses['kd_raw']
    assert losses['loss_kd'].item() == pytest.approx((raw / (1 + raw)).item(), rel=1e-5)


def test_an_argument_of_a_loss_may_be_a_config():
    inner = dict(type='KDLoss', temperature=4.0)
    model = build(terms=[dict(type='ConfiguredLoss', at='logits', weight=1.0, inner=inner, name='ours')])
    plain = build(terms=[dict(KD, weight=1.0)])
    plain.load_state_dict(model.state_dict())
    plain.teachers['teacher'].module.load_state_dict(model.teachers['teacher'].module.state_dict())
    raws = []
    for each, key in ((model, 'ours_raw'), (plain, 'kd_raw')):
        torch.manual_seed(0)
        raws.append(step(*_with_batch(each))[key].item())
    assert raws[0] == pytest.approx(raws[1], rel=1e-6)


def test_a_schedule_beside_a_config_is_still_one():
    term = dict(type='ConfiguredLoss', at='logits', weight=1.0, inner=dict(type='KDLoss'), name='ours')
    model = build(terms=[dict(term, factor=dict(type='Linear', value=2.0, start_factor=0.5, end=4))])
    assert model.training_state.terms['ours'].loss.factor.item() == pytest.approx(1.0)


def _with_batch(model):
    return model, batch(model)
