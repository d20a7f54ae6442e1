"""Clips that stand for a class, and linear classifiers that do not prefer the classes learned last."""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['aligned_classifier', 'herding', 'nearest_mean_classifier']

LEAST = 1e-12


def herding(features: Tensor, count: int) -> list[int]:
    """Choose samples whose mean feature stays as near as can be to that of all.

    Algorithm 4 of iCaRL (https://arxiv.org/abs/1611.07725): the features are normalised; sample after sample is taken
    that brings the mean of those taken nearest to the mean of all. The first ones of a choice are the smaller choice.

    Args:
        features: ``(N, C)`` of the samples of one class.
        count: Number of samples that are wanted; all where there are fewer.

    Returns:
        Indices, in the order in which they are taken; of equal ones, the first.
    """
    rows = F.normalize(features.double(), dim=1)
    mean, taken = rows.mean(dim=0), torch.zeros_like(rows[0])
    left = torch.ones(len(rows), dtype=torch.bool, device=rows.device)
    chosen: list[int] = []
    for number in range(1, min(count, len(rows)) + 1):
        distances = (mean - (taken + rows) / number).norm(dim=1)
        best = int(distances.masked_fill(~left, torch.inf).argmin())
        chosen.append(best)
        taken, left[best] = taken + rows[best], False
    return chosen


def aligned_classifier(weight: Tensor, bias: Tensor, known: int) -> tuple[Tensor, Tensor]:
    """Give the classes learned last weights of the same mean length as those known before.

    Weight Aligning (https://arxiv.org/abs/1911.07053, equations 6 and 7): the scores of new classes are multiplied by
    the mean length of the old classes' weights over that of the new ones'. The paper leaves biases out; here they are
    multiplied too, so that it is exactly the score that is.

    Args:
        weight: ``(K, C)``.
        bias: ``(K,)``.
        known: Number of classes known before, the first ones; from 1 to K - 1.

    Returns:
        Weight and bias of the same shapes.
    """
    lengths = weight.double().norm(dim=1)
    factor = (lengths[:known].mean() / lengths[known:].mean().clamp_min(LEAST)).to(weight.dtype)
    factors = torch.ones_like(bias)
    factors[known:] = factor
    return weight * factors[:, None], bias * factors


def nearest_mean_classifier(features: Tensor, labels: Tensor, length: float | Tensor) -> tuple[Tensor, Tensor]:
    """Return the linear classifier that finds the nearest class mean.

    The rule of iCaRL (https://arxiv.org/abs/1611.07725, equation 2): features and class means have length 1, so that
    the nearest mean ``argmin |f - m|`` is the one with the largest product ``argmax f.m``. The length of a clip's own
    feature multiplies all products alike, so that features need not be normalised: the classes that it finds are
    exactly those of iCaRL. How sure it is of them follows from ``length``, which multiplies all scores.

    Args:
        features: ``(N, C)`` of clips of all classes.
        labels: ``(N,)`` class indices, each of 0 to K - 1 at least once.
        length: Length of each class's weights, above 0.

    Returns:
        Weight ``(K, C)`` and bias ``(K,)``, which is zero.
    """
    rows = F.normalize(features.double(), dim=1)
    classes = int(labels.max()) + 1
    sums = torch.zeros(classes, rows.shape[1], dtype=rows.dtype, device=rows.device).index_add_(0, labels, rows)
    means = F.normalize(sums, dim=1) * length
    return means.to(features.dtype), features.new_zeros(classes)
