"""Imitation of a feature element by element."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmkd_video.functional.normalize import unit

__all__ = ['ab', 'batch_norm_margin', 'ft', 'mean_square', 'ofd']


def mean_square(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean squared difference of two tensors of one shape.

    Unlike ``F.mse_loss`` it keeps only their difference for the backward pass, not both.
    """
    return (student - teacher).square().mean()


def ft(student: Tensor, teacher: Tensor) -> Tensor:
    """Factor transfer (https://arxiv.org/abs/1802.04977): mean absolute difference of unit-length factors.

    Args:
        student: Factors ``(N, C, ...)``; each sample is one vector of length 1.
        teacher: The same shape.

    Returns:
        A scalar: the mean over all elements.
    """
    return (unit(student.flatten(1), 1) - unit(teacher.flatten(1), 1)).abs().mean()


def ab(student: Tensor, teacher: Tensor, margin: float | Tensor) -> Tensor:
    """Activation boundaries (https://arxiv.org/abs/1811.03233): a squared hinge on the teacher's signs.

    Args:
        student: Pre-activations ``(N, ...)``.
        teacher: The same shape; above zero is active, zero itself is not.
        margin: Positive distance that the student must keep from zero on the right side.

    Returns:
        A scalar: the sum over elements, averaged over the N samples.
    """
    wrong = torch.where(teacher > 0, -student, student)
    return F.relu(margin + wrong).square().sum() / student.shape[0]


def batch_norm_margin(weight: Tensor, bias: Tensor) -> Tensor:
    """Return the expected negative response of every channel behind a batch norm, as :func:`ofd` needs it.

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


def ofd(student: Tensor, teacher: Tensor, margin: Tensor) -> Tensor:
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
