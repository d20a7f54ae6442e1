"""Pearson correlation of predictions, as DIST defines it."""

import torch
from torch import Tensor

from mmkd_video.functional.normalize import LEAST_SPREAD, divide

__all__ = ['dist', 'pearson']

EPS = 1e-8


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
        temperature: Positive; divides both logits, its square multiplies the result.
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
