"""How much likelier a clip is in the target than in the source: three estimates from samples of both."""

import torch
from torch import Tensor

__all__ = ['gaussian_kernel', 'kernel_mean_matching', 'kliep', 'logistic_ratio']

ROUNDS = 500
LEAST = 1e-12


def gaussian_kernel(first: Tensor, second: Tensor, width: float | Tensor) -> Tensor:
    """Return ``exp(-|x - y|**2 / (2 * width**2))`` of all pairs.

    Args:
        first: ``(N, C)``.
        second: ``(M, C)``.
        width: Standard deviation.

    Returns:
        ``(N, M)``.
    """
    return torch.exp(-0.5 * (torch.cdist(first, second) / width).square())


def kliep(source: Tensor, target: Tensor, width: float | Tensor, rounds: int = ROUNDS) -> Tensor:
    """Kullback-Leibler importance estimation (Sugiyama et al., Ann. Inst. Stat. Math. 60, 2008).

    ``w(x) = sum over j of a_j k(x, t_j)`` with ``a >= 0`` such that the mean of w over the source is 1 and the mean of
    ``log w`` over the target is largest. The problem is that of the shares of a mixture, so that it is solved by
    expectation maximisation, which needs no step size.

    Args:
        source: ``(N, C)``.
        target: ``(M, C)``; its clips are the centres of the kernels.
        width: Standard deviation of the kernels.
        rounds: Number of rounds of the maximisation.

    Returns:
        ``(N,)`` weights of the source clips, of mean 1.
    """
    on_source, on_target = gaussian_kernel(source, target, width), gaussian_kernel(target, target, width)
    means = on_source.mean(0).clamp(min=LEAST)
    parts = on_target / means
    shares = torch.full_like(means, 1 / len(means))
    for _ in range(rounds):
        shares = shares * (parts / (parts @ shares)[:, None]).mean(0)
    weights = on_source @ (shares / means)
    return weights / weights.mean().clamp(min=LEAST)


def kernel_mean_matching(
    source: Tensor, target: Tensor, width: float | Tensor, largest: float = 10.0, rounds: int = ROUNDS
) -> Tensor:
    """Kernel mean matching (Huang et al., NIPS 2006): the weighted mean of the source is that of the target.

    Minimises ``|mean w(s) f(s) - mean f(t)|**2`` in the space of the kernel, for weights from 0 to ``largest`` of mean
    1, by an accelerated projected gradient.

    Args:
        source: ``(N, C)``.
        target: ``(M, C)``.
        width: Standard deviation of the kernel.
        largest: Largest weight, above 1.
        rounds: Number of steps.

    Returns:
        ``(N,)`` weights of the source clips, of mean 1.
    """
    kernel = gaussian_kernel(source, source, width)
    wanted = gaussian_kernel(source, target, width).mean(1) * len(source)
    step = 1 / kernel.sum(1).max()  # no eigenvalue is larger
    weights = ahead = torch.ones_like(wanted)
    momentum = 1.0
    for _ in range(rounds):
        found = _with_mean_one(ahead - step * (kernel @ ahead - wanted), largest)
        following = 0.5 * (1 + (1 + 4 * momentum**2) ** 0.5)
        ahead = found + (momentum - 1) / following * (found - weights)
        weights, momentum = found, following
    return weights


def _with_mean_one(weights: Tensor, largest: float) -> Tensor:
    """Return the nearest weights from 0 to ``largest`` of mean 1: all are moved alike, and cut off."""
    low, high = weights.min() - largest - 1, weights.max() + 1
    for _ in range(60):
        middle = 0.5 * (low + high)
        too_small = (weights - middle).clamp(0, largest).mean() < 1
        low, high = torch.where(too_small, low, middle), torch.where(too_small, middle, high)
    return (weights - 0.5 * (low + high)).clamp(0, largest)


def logistic_ratio(source: Tensor, target: Tensor, decay: float = 1.0, rounds: int = 30) -> Tensor:
    """Density ratio by a classifier (Bickel et al., ICML 2007): the odds that a source clip is of the target.

    The classifier is a logistic regression with an L2 penalty, fitted by Newton's method.

    Args:
        source: ``(N, C)``.
        target: ``(M, C)``.
        decay: Factor of ``|coefficients|**2 / 2`` beside the sum of all losses, above 0; the intercept is free.
        rounds: Number of Newton steps.

    Returns:
        ``(N,)`` weights of the source clips, of mean 1.
    """
    both = torch.cat([source, target])
    inputs = torch.cat([both, torch.ones_like(both[:, :1])], 1)
    truth = torch.cat([torch.zeros_like(source[:, 0]), torch.ones_like(target[:, 0])])
    penalty = torch.full_like(inputs[0], decay)
    penalty[-1] = LEAST
    coefficients = torch.zeros_like(inputs[0])
    for _ in range(rounds):
        chances = (inputs @ coefficients).sigmoid()
        slope = inputs.T @ (chances - truth) + penalty * coefficients
        curvature = (inputs * (chances * (1 - chances)).clamp(min=LEAST)[:, None]).T @ inputs + penalty.diag()
        coefficients = coefficients - torch.linalg.solve(curvature, slope)
    weights = torch.exp((inputs[: len(source)] @ coefficients).clamp(-30, 30))
    return weights / weights.mean()
