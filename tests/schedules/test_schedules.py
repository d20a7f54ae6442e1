import math

import pytest
import torch
from mmengine.optim.scheduler import CosineAnnealingParamScheduler, LinearParamScheduler, MultiStepParamScheduler

from mmkd_video.schedules import Progress, Scalar


def values(config, steps, by_epoch=True):
    scalar = Scalar(config, 'weight')
    found = []
    for step in range(steps):
        scalar.move(Progress(step, step, 1, steps) if by_epoch else Progress(step, 0, 10**6, steps))
        found.append(float(scalar.tensor))
    return found


def reference(scheduler, steps, **kwargs):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = scheduler(optimizer, param_name='lr', **kwargs)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        schedule.step()
    return found


@pytest.mark.parametrize('by_epoch', [True, False])
def test_linear_means_what_mmengine_means(by_epoch):
    ours = values(dict(type='Linear', value=2.0, start_factor=0.25, end=7, by_epoch=by_epoch), 10, by_epoch)
    assert ours == pytest.approx(reference(LinearParamScheduler, 10, start_factor=0.25, end=7, by_epoch=by_epoch))


def test_cosine_means_what_mmengine_means():
    ours = values(dict(type='Cosine', value=2.0, eta_min=0.5, end=8), 12)
    assert ours == pytest.approx(reference(CosineAnnealingParamScheduler, 12, eta_min=0.5, end=8))


def test_step_means_what_mmengine_means():
    ours = values(dict(type='Step', value=2.0, gamma=0.5, milestones=[2, 5]), 8)
    assert ours == pytest.approx(reference(MultiStepParamScheduler, 8, gamma=0.5, milestones=[2, 5]))
    assert values(dict(type='Step', value=8.0, gamma=0.5, step_size=2), 5) == [8, 8, 4, 4, 2]


def test_a_temperature_cools_by_the_same_factor_down_to_the_low_one():
    grown = values(dict(type='Logistic', value=2.0, slope=10.0), 3)
    assert grown == pytest.approx([0.0, 2 * (2 / (1 + math.exp(-5)) - 1), 2 * (2 / (1 + math.exp(-10)) - 1)])
    assert values(dict(type='Anneal', value=8.0, low=1.0, end=4), 6) == pytest.approx([8, 4, 2, 1, 1, 1])
    assert values(dict(type='Anneal', value=9.0, low=1.0), 3) == pytest.approx([9, 3, 1])
    with pytest.raises(ValueError, match=r'kd.temperature: got low=2.0 and value=1.0; expected low below value'):
        Scalar(dict(type='Anneal', value=1.0, low=2.0), 'kd.temperature')
    with pytest.raises(ValueError, match=r'kd.temperature.low: got 0; expected a number above 0'):
        Scalar(dict(type='Anneal', low=0), 'kd.temperature')


def test_warmup_rises_from_zero_to_the_value_and_rests():
    assert values(dict(type='Warmup', value=4.0, end=5), 7) == pytest.approx([0, 1, 2, 3, 4, 4, 4])


def test_without_end_a_schedule_runs_to_the_end_of_training():
    scalar = Scalar(dict(type='Linear', value=1.0, start_factor=0.0), 'weight')
    scalar.move(Progress(iter=90, epoch=9, iters_per_epoch=10, max_iters=100))
    assert float(scalar.tensor) == pytest.approx(1.0)
    scalar.move(Progress(iter=45, epoch=4, iters_per_epoch=10, max_iters=100))
    assert float(scalar.tensor) == pytest.approx(4 / 9)


def test_the_tensor_moves_in_place_so_nothing_recompiles():
    scalar = Scalar(dict(type='Linear', start_factor=0.0, end=3), 'weight')
    held = scalar.read(torch.zeros(1))
    scalar.move(Progress(2, 2, 1, 3))
    assert scalar.read(torch.zeros(1)) is held
    assert float(held) == 1.0


@pytest.mark.parametrize(
    ('config', 'error', 'words'),
    [
        (dict(type='Linaer', end=3), KeyError, "did you mean 'Linear'"),
        (dict(type='Linear', begin=5, end=3), ValueError, 'begin < end'),
        (dict(type='Step', gamma=0.1), ValueError, 'step_size'),
        (dict(type='Linear', stop=3), KeyError, 'stop'),
        ('0.9', ValueError, 'expected a number or a schedule'),
    ],
)
def test_mistakes_are_named(config, error, words):
    with pytest.raises(error, match=words):
        Scalar(config, 'terms[0].weight')
