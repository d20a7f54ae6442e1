"""A weight that is learned: what it rests at, and how it comes into the objective."""

import pytest
import torch
from torch import Tensor

from mmkd_video.weightings import UncertaintyWeighting, WeightingStep, build_weighting


def step(value: float) -> WeightingStep:
    return WeightingStep('kd', {'kd': torch.tensor(value)}, torch.tensor(1.0), lambda: None)


@pytest.mark.parametrize('loss', [0.05, 0.5, 4.0])
def test_at_rest_the_factor_is_one_over_twice_the_loss(loss):
    weighting = UncertaintyWeighting()
    optimizer = torch.optim.SGD(weighting.parameters(), lr=0.5)
    for _ in range(200):
        optimizer.zero_grad()
        (loss * weighting(step(loss)) + weighting.penalty()).backward()
        optimizer.step()
    assert weighting(step(loss)).item() == pytest.approx(1 / (2 * loss), rel=0.01)


def test_it_begins_with_the_factor_that_was_asked_for():
    assert build_weighting(dict(type='Uncertainty', start=0.25), 'w')(step(1.0)).item() == pytest.approx(0.25)
    with pytest.raises(ValueError, match=r'w.start: got 0; expected a number above 0'):
        build_weighting(dict(type='Uncertainty', start=0), 'w')


def test_the_penalty_of_a_weighting_is_added_to_its_term(monkeypatch):
    from mmkd_video.distillers.objective import Objective
    from mmkd_video.schedules import Scalar
    from mmkd_video.terms import Term, TermSpec

    monkeypatch.setattr(UncertaintyWeighting, 'penalty', lambda self: self.log_variance * 0 + 7.0)
    logits = torch.randn(2, 3, requires_grad=True)
    spec = TermSpec.parse(dict(type='KDLoss', at='logits', weight=dict(type='Uncertainty', start=0.5)), 0)
    term = Term(spec, {'logits': logits}, {'logits': torch.randn(2, 3)})
    raw, task = logits.square().sum(), logits.sum()
    found = found_of(Objective(Scalar(1.0, 'task_weight')), task, raw, term)
    assert found['loss_kd'].item() == pytest.approx(0.5 * raw.item() + 7.0, rel=1e-6)
    assert found['loss_cls'] is task
    found['loss_kd'].backward()
    assert term.weighting.log_variance.grad.item() == pytest.approx(-0.5 * raw.item(), rel=1e-6)
    term.acting = False
    assert found_of(Objective(Scalar(1.0, 'task_weight')), task, raw, term)['loss_kd'].item() == raw.item()


def found_of(objective, task: Tensor, raw: Tensor, term) -> dict:
    objective.gradients.interval = 10**9
    place = dict.fromkeys(['logits'])
    return objective({'loss_cls': task}, {'kd': raw}, {'kd': term}, place, term, iteration=1)
