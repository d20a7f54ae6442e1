"""Imitation of a feature element by element."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmkd_video.functional.layout import channels_and_positions
from mmkd_video.functional.normalize import LEAST_SPREAD, divide, unit

__all__ = ['activation_boundary', 'batch_norm_margin', 'factor_transfer', 'mean_square', 'overhaul', 'pearson_features']

STD_EPS = 1e-6


def mean_square(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean squared difference of two tensors of one shape.

    Unlike ``F.mse_loss`` it keeps only their difference for the backward pass, not both.
    """
    return (student - teacher).square().mean()


def factor_transfer(student: Tensor, teacher: Tensor) -> Tensor:
    """Factor transfer (https://arxiv.org/abs/1802.04977): mean absolute difference of unit-length factors.

    Args:
        student: Factors ``(N, C, ...)``; each sample is one vector of length 1.
        teacher: The same shape.

    Returns:
        A scalar: the mean over all elements.
    """
    return (unit(student.flatten(1), 1) - unit(teacher.flatten(1), 1)).abs().mean()


def activation_boundary(student: Tensor, teacher: Tensor, margin: float | Tensor) -> Tensor:
    """Activation boundaries (https://arxiv.org/abs/1811.03233): a squared hinge on the teacher's signs.

    Args:
        student: Pre-activations ``(N, ...)``.
        teacher: The same shape; above zero is active, zero itself is not.
        margin: Positive; how far on the right side the student must be.

    Returns:
        A scalar: the sum over elements, averaged over the N samples.
    """
    wrong = torch.where(teacher > 0, -student, student)
    return F.relu(margin + wrong).square().sum() / student.shape[0]


def batch_norm_margin(weight: Tensor, bias: Tensor) -> Tensor:
    """Return the expected negative response of every channel behind a batch norm, as :func:`overhaul` needs it.

    The norm's output is taken as Gaussian with deviation ``|weight|`` and mean ``bias``. It does not matter whether the
    norm is for images or clips.

    Args:
        weight: ``(C,)`` of a ``BatchNorm``.
        bias: ``(C,)`` of it.

    Returns:
        ``(C,)``: ``E[x | x < 0]``, or ``-3 * |weight|`` where fewer than one in a thousand responses is negative.
    """
    deviation, mean = weight.detach().double().abs().clamp_min(torch.finfo(torch.float32).tiny), bias.detach().double()
    ratio = mean / deviation
    negative = torch.special.ndtr(-ratio)
    density = torch.exp(-(ratio**2) / 2) / (2 * torch.pi) ** 0.5
    expected = mean - deviation * density / negative.clamp_min(1e-3)
    return torch.where(negative > 1e-3, expected, -3 * deviation).to(weight.dtype)


def overhaul(student: Tensor, teacher: Tensor, margin: Tensor) -> Tensor:
    """Overhaul distillation (https://arxiv.org/abs/1904.01866): a partial squared distance.

    Args:
        student: Pre-activations ``(N, C, [T,] H, W)``.
        teacher: The same shape.
        margin: ``(C,)``, usually negative; the teacher's values below it are lifted to it.

    Returns:
        A scalar: the sum over elements, averaged over the N samples. Where the lifted teacher is not positive, a
        student below it pays nothing.
    """
    lifted = torch.maximum(teacher, margin.view(-1, *[1] * (teacher.ndim - 2)))
    counted = (student > lifted) | (lifted > 0)
    return ((student - lifted).square() * counted).sum() / student.shape[0]


def pearson_features(student: Tensor, teacher: Tensor) -> Tensor:
    """PKD (https://arxiv.org/abs/2207.02039): half the mean squared difference of standardised channels.

    Args:
        student: Tokens ``(N, L, C)`` or map ``(N, C, [T,] H, W)``; each channel is standardised over the batch and all
            positions with its unbiased deviation. The gradient of a channel that is all but constant is no larger than
            that of one with deviation 1e-3.
        teacher: The same shape.

    Returns:
        A scalar; zero with zero gradient for one clip of one position.
    """
    student, teacher = channels_and_positions(student), channels_and_positions(teacher)
    if student.shape[0] * student.shape[2] == 1:
        return student.sum() * 0

    def standardise(feature: Tensor) -> Tensor:
        centred = feature - feature.mean((0, 2), keepdim=True)
        return divide(centred, feature.std((0, 2), keepdim=True) + STD_EPS, LEAST_SPREAD)

    return mean_square(standardise(student), standardise(teacher)) / 2
