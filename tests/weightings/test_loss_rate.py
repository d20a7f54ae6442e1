"""The term that lags behind weighs more: MTARD's factors, step by step."""

import pytest
import torch

from mmkd_video.core.mistakes import WrongKeyError
from mmkd_video.weightings import WeightingStep, build_weighting


def step(name, **raws):
    values = {key: torch.tensor(value) for key, value in raws.items()}
    return WeightingStep(name, values, torch.tensor(1.0), lambda: None)


def mtard(losses, rate=0.025, exponent=1.0):
    """Return the weights of both parts in each step, as the authors' loop computes them."""
    natural, found, first = 0.5, [], losses[0]
    for adversarial_loss, natural_loss in losses:
        rates = (adversarial_loss / first[0]) ** exponent, (natural_loss / first[1]) ** exponent
        natural -= rate * (natural - rates[1] / sum(rates))
        found.append((1 - natural, natural))
    return found


@pytest.mark.parametrize('settings', [{}, dict(rate=0.5, exponent=3.0)])
def test_two_terms_have_the_factors_of_the_authors(settings):
    losses = [(2.0, 1.0), (1.5, 0.9), (1.8, 0.2), (0.5, 0.1)]
    adversarial = build_weighting(dict(type='LossRate', other='b', **settings), 'w')
    natural = build_weighting(dict(type='LossRate', other=['a'], **settings), 'w')
    for (a, b), expected in zip(losses, mtard(losses, **settings), strict=True):
        found = adversarial(step('a', a=a, b=b)).item(), natural(step('b', a=a, b=b)).item()
        assert found == pytest.approx(expected, rel=1e-6) and sum(found) == pytest.approx(1)


def test_what_it_keeps_is_resumed():
    first, second = (build_weighting(dict(type='LossRate', other='b', rate=0.5), 'w') for _ in range(2))
    first(step('a', a=4.0, b=1.0))
    second.load_state_dict(first.state_dict())
    assert first(step('a', a=1.0, b=1.0)).item() == second(step('a', a=1.0, b=1.0)).item() == pytest.approx(0.35)


@pytest.mark.parametrize('other', ['c', 'a', ['b', 'c']])
def test_an_unknown_other_term_is_told(other):
    with pytest.raises(WrongKeyError, match=r"term 'a'.weight.other: got '[ac]'; expected .*\['b'\]"):
        build_weighting(dict(type='LossRate', other=other), 'w')(step('a', a=1.0, b=1.0))
