"""Divergences of classes that are each there or not, in log-space so that confident networks stay finite."""

import torch.nn.functional as F
from torch import Tensor

__all__ = ['binary_divergence', 'binary_kd']


def binary_divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Return ``KL(teacher || student)`` of each pair of probabilities of being there, the shape of the two.

    Args:
        student: Log-odds of the student, any shape.
        teacher: Log-odds of the teacher, the same shape.
    """
    there = teacher.sigmoid() * (F.logsigmoid(teacher) - F.logsigmoid(student))
    return there + (-teacher).sigmoid() * (F.logsigmoid(-teacher) - F.logsigmoid(-student))


def binary_kd(student: Tensor, teacher: Tensor, temperature: float | Tensor = 1.0) -> Tensor:
    """Distillation of the probability of each class by itself (https://arxiv.org/abs/2308.06453).

    Args:
        student: Logits ``(N, K)``.
        teacher: Logits ``(N, K)``.
        temperature: Positive number that divides both logits; its square multiplies the result.

    Returns:
        ``temperature**2`` times the binary divergence, summed over the K classes and averaged over the N samples; a
        scalar.
    """
    divergence = binary_divergence(student / temperature, teacher / temperature)
    return divergence.sum(dim=1).mean() * temperature**2
