"""Divergences between class distributions, in log-space so that confident networks stay finite."""

import torch.nn.functional as F
from torch import Tensor

__all__ = ['kd', 'kl_divergence', 'log_probabilities']


def log_probabilities(logits: Tensor, temperature: float | Tensor = 1.0, dim: int = -1) -> Tensor:
    """Return ``log softmax(logits / temperature)`` along ``dim``; same shape as ``logits``."""
    return F.log_softmax(logits / temperature, dim=dim)


def kl_divergence(log_student: Tensor, log_teacher: Tensor, dim: int = -1) -> Tensor:
    """Return ``KL(teacher || student)`` summed over ``dim``.

    A teacher probability that underflows to zero contributes exactly zero, because its logarithm stays finite.

    Args:
        log_student: Log-probabilities of the student, any shape.
        log_teacher: Log-probabilities of the teacher, the same shape.
        dim: The axis of the distribution.
    """
    return (log_teacher.exp() * (log_teacher - log_student)).sum(dim)


def kd(student: Tensor, teacher: Tensor, temperature: float | Tensor) -> Tensor:
    """Knowledge distillation of Hinton et al. (https://arxiv.org/abs/1503.02531).

    Args:
        student: Logits ``(N, K)``.
        teacher: Logits ``(N, K)``.
        temperature: Positive number that divides both logits; its square multiplies the result.

    Returns:
        ``temperature**2 * KL(teacher || student)``, averaged over the N samples; a scalar.
    """
    divergence = kl_divergence(log_probabilities(student, temperature), log_probabilities(teacher, temperature))
    return divergence.mean() * temperature**2
