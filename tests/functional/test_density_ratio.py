"""Density ratios against solvers of scipy, and where the truth is known."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from mmkd_video.functional import gaussian_kernel, kernel_mean_matching, kliep, logistic_ratio


@pytest.fixture(scope='module')
def samples():
    generator = torch.Generator().manual_seed(0)
    source = torch.randn(12, 2, generator=generator, dtype=torch.float64)
    return source, 0.7 * torch.randn(9, 2, generator=generator, dtype=torch.float64) + 0.8


def test_kliep_finds_the_optimum_of_its_problem(samples):
    source, target = samples
    on_source, on_target = (gaussian_kernel(each, target, 1.0).numpy() for each in (source, target))
    found = minimize(
        lambda a: -np.log(on_target @ a).mean(),
        np.full(9, 1 / on_source.mean(0).sum()),
        jac=lambda a: -(on_target / (on_target @ a)[:, None]).mean(0),
        bounds=[(0, None)] * 9,
        constraints=dict(type='eq', fun=lambda a: on_source.mean(0) @ a - 1, jac=lambda a: on_source.mean(0)),
        method='SLSQP',
        options=dict(maxiter=1000, ftol=1e-14),
    )
    assert kliep(source, target, 1.0, rounds=5000).numpy() == pytest.approx(on_source @ found.x, abs=2e-2)


def test_kernel_mean_matching_finds_the_optimum_of_its_problem(samples):
    source, target = samples
    kernel = gaussian_kernel(source, source, 1.0).numpy()
    wanted = gaussian_kernel(source, target, 1.0).mean(1).numpy() * 12
    value = lambda w: 0.5 * w @ kernel @ w - wanted @ w  # noqa: E731
    found = minimize(
        value,
        np.ones(12),
        jac=lambda w: kernel @ w - wanted,
        bounds=[(0, 3)] * 12,
        constraints=dict(type='eq', fun=lambda w: w.mean() - 1, jac=lambda w: np.full(12, 1 / 12)),
        method='SLSQP',
        options=dict(maxiter=1000, ftol=1e-14),
    )
    weights = kernel_mean_matching(source, target, 1.0, 3.0, rounds=3000).numpy()
    assert weights.mean() == pytest.approx(1) and weights.min() >= 0 and weights.max() <= 3
    assert value(weights) == pytest.approx(found.fun, abs=1e-5)
    assert weights == pytest.approx(found.x, abs=2e-2)


def test_the_classifier_is_the_penalised_logistic_regression(samples):
    source, target = (each.numpy() for each in samples)
    inputs = np.concatenate([np.concatenate([source, target]), np.ones((21, 1))], 1)
    sign = np.array([-1.0] * 12 + [1.0] * 9)
    loss = lambda c: np.logaddexp(0, -sign * (inputs @ c)).sum() + 0.5 * 2.0 * (c[:-1] ** 2).sum()  # noqa: E731
    odds = np.exp(inputs[:12] @ minimize(loss, np.zeros(3), method='BFGS', options=dict(gtol=1e-9)).x)
    assert logistic_ratio(*samples, decay=2.0).numpy() == pytest.approx(odds / odds.mean(), rel=1e-4)


@pytest.mark.parametrize(
    'ratio', [lambda s, t: kliep(s, t, 0.7), lambda s, t: kernel_mean_matching(s, t, 2.0), logistic_ratio]
)
def test_weights_follow_the_true_ratio_and_are_one_for_equal_samples(ratio):
    generator = torch.Generator().manual_seed(1)
    source = torch.randn(300, 1, generator=generator, dtype=torch.float64)
    target = torch.randn(300, 1, generator=generator, dtype=torch.float64) + 0.7
    truth = torch.exp(0.7 * source - 0.245).squeeze(1)
    weights = ratio(source, target)
    assert torch.corrcoef(torch.stack([weights, truth]))[0, 1] > 0.85
    assert weights.mean().item() == pytest.approx(1.0)
    same = ratio(source, source.clone())
    assert (same - 1).abs().mean() < 0.1
