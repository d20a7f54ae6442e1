"""A schedule that would leave the loss's range later is refused when the term is built."""

import pytest
import torch

from mmkd_video.schedules import LearnedScalar, Scalar
from mmkd_video.terms import Term, TermSpec

LOGITS = {'logits': torch.zeros(2, 4)}
CLIP = {'map': torch.zeros(2, 3, 2, 4, 4)}


def term(features: dict, **config) -> Term:
    spec = TermSpec.parse(dict(at=next(iter(features)), **config), 0)
    return Term(spec, features, features)


@pytest.mark.parametrize(
    ('schedule', 'reached'),
    [
        (dict(type='Linear', value=4.0, start_factor=1.0, end_factor=-0.5, end=10), -2),
        (dict(type='Linear', value=4.0, start_factor=1.0, end_factor=0.0), 0),
        (dict(type='Cosine', value=4.0, eta_min=-1.0), -1),
        (dict(type='Step', value=4.0, gamma=-0.5, milestones=[2, 5]), -2),
        (dict(type='Step', value=4.0, gamma=-0.5, step_size=3, end=7), -2),
        (dict(type='Learned', low=-5.0, high=5.0, value=4.0), -5),
        (dict(type='Learned', low=0.0, high=5.0, value=4.0), 0),
    ],
)
def test_a_temperature_that_would_not_stay_positive_is_refused(schedule: dict, reached: float) -> None:
    message = rf"term 'kd'.temperature: its schedule reaches {reached:g}; temperature: got .*; expected a number above"
    with pytest.raises(ValueError, match=message):
        term(LOGITS, type='KDLoss', temperature=schedule)


@pytest.mark.parametrize(
    'schedule',
    [
        dict(type='Cosine', value=4.0, eta_min=0.0),  # approached, never reached
        dict(type='Cosine', value=4.0, eta_min=-1.0, end=3),  # rests at 0.25, its third step
        dict(type='Linear', value=4.0, start_factor=1.0, end_factor=0.25),
        dict(type='Step', value=4.0, gamma=0.5, step_size=1),
        dict(type='Anneal', value=4.0, low=0.1),
        dict(type='Learned', low=1.0, high=5.0),
    ],
)
def test_a_temperature_that_stays_positive_is_built(schedule: dict) -> None:
    term(LOGITS, type='KDLoss', temperature=schedule)


def test_an_upper_bound_holds_too() -> None:
    with pytest.raises(ValueError, match=r"term 'mgd'.mask_ratio: its schedule reaches 1.5; mask_ratio: got 1.5"):
        term(CLIP, type='MGDLoss', mask_ratio=dict(type='Linear', value=0.5, start_factor=1.0, end_factor=3.0))


def test_the_trial_draws_no_random_number() -> None:
    states = []
    for mask_ratio in (0.1, dict(type='Linear', value=0.3, start_factor=0.1)):
        torch.manual_seed(0)
        states.append(term(CLIP, type='MGDLoss', mask_ratio=mask_ratio).state_dict())
        states[-1]['next'] = torch.rand(1)
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


def test_values_lie_between_those_it_reaches() -> None:
    assert Scalar(3.0, 'weight').reaches() == (3.0,)
    assert Scalar(dict(type='Warmup', value=2.0, begin=1, end=3), 'weight').reaches() == (0.0, 2.0)
    assert LearnedScalar(1.0, 21.0).reaches() == (1.0, 21.0)
