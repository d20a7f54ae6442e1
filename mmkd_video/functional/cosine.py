"""Directions of feature vectors."""

from torch import Tensor

from mmkd_video.functional.normalize import LEAST_SPREAD, mean_norm, unit

__all__ = ['cosine']


def cosine(student: Tensor, teacher: Tensor) -> Tensor:
    """Two minus twice the cosine between vectors (https://arxiv.org/abs/2006.07733, equation 2).

    Args:
        student: ``(N, C)``, ``(N, L, C)`` or ``(N, C, [T,] H, W)``.
        teacher: The same shape.

    Returns:
        The squared distance of both vectors at length 1, averaged over samples and positions: 0 for equal directions, 2
        for orthogonal ones, 4 for opposite ones; 1 where one of them is zero. The gradient of a vector much shorter
        than the mean of its batch is bounded.
    """
    dim = -1 if student.ndim == 3 else 1
    ours = unit(student, dim, LEAST_SPREAD * mean_norm(student, dim))
    return (ours - unit(teacher, dim)).square().sum(dim).mean()
