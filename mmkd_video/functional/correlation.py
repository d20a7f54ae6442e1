"""Correlation of predictions, of features and of their channels."""

import torch
from torch import Tensor

from mmkd_video.functional.elementwise import mean_square
from mmkd_video.functional.gram import gram
from mmkd_video.functional.layout import channels_and_positions
from mmkd_video.functional.normalize import LEAST_SPREAD, divide, unit

__all__ = ['dist', 'ickd', 'pearson', 'pkd']

EPS = 1e-8
STD_EPS = 1e-6


def pearson(student: Tensor, teacher: Tensor, dim: int) -> Tensor:
    """Return the Pearson correlation along ``dim``.

    ``EPS`` is added to the product of the norms (``cosine_similarity`` clamps instead), so a constant row correlates
    with nothing: 0. The derivative is as large as the deviations are small; below a thousandth of the length of a
    student's row it grows no further, so that it is bounded for a constant row too.

    Args:
        student: Any shape.
        teacher: The same shape.
        dim: The axis to correlate over; it is removed.
    """
    length = torch.linalg.vector_norm(student.detach(), dim=dim)
    student = student - student.mean(dim, keepdim=True)
    teacher = teacher - teacher.mean(dim, keepdim=True)
    scale = torch.linalg.vector_norm(teacher, dim=dim)
    norms = torch.linalg.vector_norm(student, dim=dim) * scale + EPS
    return divide((student * teacher).sum(dim), norms, LEAST_SPREAD * length * scale.detach())


def dist(
    student: Tensor,
    teacher: Tensor,
    temperature: float | Tensor,
    beta: float | Tensor,
    gamma: float | Tensor,
) -> Tensor:
    """DIST (https://arxiv.org/abs/2205.10536): correlation between classes and between samples.

    Args:
        student: Logits ``(N, K)``.
        teacher: Logits ``(N, K)``.
        temperature: Positive number that divides both logits; its square multiplies the result.
        beta: Weight of the correlation over the K classes of a sample.
        gamma: Weight of the correlation over the N samples of a class; a batch of one gives the constant
            ``gamma * temperature**2``.

    Returns:
        A scalar.
    """
    student = (student / temperature).softmax(-1)
    teacher = (teacher / temperature).softmax(-1)
    inter = 1 - pearson(student, teacher, dim=1).mean()
    intra = 1 - pearson(student, teacher, dim=0).mean()
    return (beta * inter + gamma * intra) * temperature**2


def pkd(student: Tensor, teacher: Tensor) -> Tensor:
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


def ickd(student: Tensor, teacher: Tensor) -> Tensor:
    """Inter-channel correlation (https://arxiv.org/abs/2202.03680).

    Args:
        student: Tokens ``(N, Ls, C)`` or map ``(N, C, [T,] H, W)``.
        teacher: The same channels, any positions.

    Returns:
        ``sum (R(F_s F_s^T) - R(F_t F_t^T))**2 / (C * N**2)`` with R the L2-normalisation of rows; a scalar.
    """

    def correlations(feature: Tensor) -> Tensor:
        feature = channels_and_positions(feature)
        return unit(gram(feature), 2)

    student, teacher = correlations(student), correlations(teacher)
    num_samples, num_channels = student.shape[:2]
    return torch.sum((student - teacher) ** 2) / (num_channels * num_samples**2)
