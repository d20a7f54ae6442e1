"""Scores of several models made into one distribution, and weights for it."""

import math

import torch
from torch import Tensor

LEAST = 1e-12  # of a weight's way to a bound, and of a gradient


def mix_probabilities(scores: Tensor, weights: Tensor, temperature: float = 1.0) -> Tensor:
    """Return scores whose softened softmax is the weighted mean of the members' softened softmaxes.

    ``temperature * log(sum_m w_m softmax(z_m / temperature))``. A Kullback-Leibler loss at this temperature then has
    the gradient of the weighted sum of the members' losses.

    Args:
        scores: ``(M, N, K)``.
        weights: ``(M, N)`` or ``(M, 1)``, not below 0, with sum 1 over the members.
        temperature: Number above 0.

    Returns:
        ``(N, K)``.
    """
    softened = (scores / temperature).log_softmax(dim=-1)
    return temperature * torch.logsumexp(softened + weights.log().unsqueeze(-1), dim=0)


def mix_logits(scores: Tensor, weights: Tensor, covered: Tensor | None = None) -> Tensor:
    """Return the weighted mean of scores, each class over the members that know it.

    Each member's scores have mean zero over its classes first, as a softmax says nothing about their level.

    Args:
        scores: Scores ``(M, N, K)``; those of classes that a member does not know do not count.
        weights: ``(M, N)`` or ``(M, 1)``, above 0 for some member of each class.
        covered: Mask ``(M, K)`` of the classes that each member knows; None for all.

    Returns:
        ``(N, K)``.
    """
    known = scores.new_ones(scores.shape[0], scores.shape[2]) if covered is None else covered.to(scores)
    known = known.unsqueeze(1)
    scores = scores * known
    scores = (scores - scores.sum(dim=-1, keepdim=True) / known.sum(dim=-1, keepdim=True)) * known
    parts = weights.unsqueeze(-1) * known
    return (parts * scores).sum(dim=0) / parts.sum(dim=0)


def label_cross_entropy(scores: Tensor, targets: Tensor) -> Tensor:
    """Return the cross entropy of each member's prediction with the labels, ``(M, N)``.

    Args:
        scores: ``(M, N, K)``.
        targets: ``(N, K)``, rows with sum 1.
    """
    return -(targets * scores.log_softmax(dim=-1)).sum(dim=-1)


def prediction_entropy(scores: Tensor) -> Tensor:
    """Return the entropy of each member's prediction, ``(M, N)``, in nats.

    Args:
        scores: ``(M, N, K)``.
    """
    logs = scores.log_softmax(dim=-1)
    return -(logs.exp() * logs).sum(dim=-1)


def min_norm_weights(gradients: Tensor, most: float = 1.0) -> Tensor:
    """Return the weights for which the weighted sum of gradients is shortest.

    ``min |sum_m w_m g_m|^2`` over ``0 <= w_m <= most`` with sum 1, by descent along the pair of weights that gains
    most. It is solved on the host, for M numbers.

    Args:
        gradients: ``(M, D)``.
        most: Upper bound of each weight, at least 1 / M.

    Returns:
        ``(M,)``, on the device of the gradients.
    """
    count = len(gradients)
    double = gradients.detach().double()
    products = (double @ double.T).tolist()
    scale = max(products[each][each] for each in range(count))
    weights = [1.0 / count] * count
    for _ in range(1000 * count):
        slopes = [math.fsum(a * w for a, w in zip(row, weights, strict=True)) for row in products]
        up = min((each for each in range(count) if weights[each] < most - LEAST), key=slopes.__getitem__, default=None)
        down = max((each for each in range(count) if weights[each] > LEAST), key=slopes.__getitem__)
        if up is None or slopes[down] - slopes[up] <= LEAST * scale:
            break
        bend = products[up][up] + products[down][down] - 2 * products[up][down]
        step = min(most - weights[up], weights[down])
        if bend > 0:
            step = min(step, (slopes[down] - slopes[up]) / bend)
        weights[up] += step
        weights[down] -= step
    return torch.tensor(weights, dtype=gradients.dtype, device=gradients.device)
