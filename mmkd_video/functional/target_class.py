"""Distillation that treats the target class apart from the others."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmkd_video.functional.divergence import kl_divergence, log_probabilities
from mmkd_video.functional.labels import log_odds, non_target_logits

__all__ = ['dkd', 'nkd', 'wsld']

WSLD_EPS = 1e-7


def _target_and_rest(logits: Tensor, target: Tensor) -> Tensor:
    """Return ``(N, 2)``: the logarithms of the target's probability and of all others together."""
    odds = log_odds(logits, target)
    return torch.stack([F.logsigmoid(odds), F.logsigmoid(-odds)], dim=1)


def dkd(
    student: Tensor,
    teacher: Tensor,
    target: Tensor,
    temperature: float | Tensor,
    alpha: float | Tensor,
    beta: float | Tensor,
) -> Tensor:
    """Decoupled distillation (https://arxiv.org/abs/2203.08679).

    Args:
        student: Logits ``(N, K)``.
        teacher: Logits ``(N, K)``.
        target: Class indices ``(N,)``.
        temperature: Positive number that divides both logits; its square multiplies the result.
        alpha: Weight of the divergence between target and all other classes.
        beta: Weight of the divergence among the other classes; these agree exactly when K is 2.

    Returns:
        A scalar, averaged over the N samples.
    """
    student, teacher = student / temperature, teacher / temperature
    binary = kl_divergence(_target_and_rest(student, target), _target_and_rest(teacher, target))
    others = kl_divergence(
        log_probabilities(non_target_logits(student, target)), log_probabilities(non_target_logits(teacher, target))
    )
    return (alpha * binary.mean() + beta * others.mean()) * temperature**2


def nkd(student: Tensor, teacher: Tensor, target: Tensor, temperature: float | Tensor, gamma: float | Tensor) -> Tensor:
    """Normalised distillation (https://arxiv.org/abs/2303.13005): two cross-entropies, so equal sides are not zero.

    Args:
        student: Logits ``(N, K)``.
        teacher: Logits ``(N, K)``.
        target: Class indices ``(N,)``.
        temperature: Positive number that softens the other classes only; the target's term always stands at 1.
        gamma: Weight of the other classes.

    Returns:
        A scalar, averaged over the N samples.
    """
    log_student, log_teacher = (F.logsigmoid(log_odds(logits, target)) for logits in (student, teacher))
    of_target = -(log_teacher.exp() * log_student).mean()
    log_student = log_probabilities(non_target_logits(student, target), temperature)
    log_teacher = log_probabilities(non_target_logits(teacher, target), temperature)
    of_others = -(log_teacher.exp() * log_student).sum(1).mean()
    return of_target + gamma * temperature**2 * of_others


def wsld(student: Tensor, teacher: Tensor, target: Tensor, temperature: float | Tensor) -> Tensor:
    """Weighted soft labels (https://arxiv.org/abs/2102.00650).

    Args:
        student: Logits ``(N, K)``.
        teacher: Logits ``(N, K)``.
        target: Class indices ``(N,)``.
        temperature: Positive number that divides both logits; its square multiplies the result.

    Returns:
        A scalar: the cross-entropy of the softened distributions, each sample weighted by
        ``1 - exp(-ce(student) / (ce(teacher) + 1e-7))``; no gradient flows through that weight.
    """
    ce_student, ce_teacher = (F.softplus(-log_odds(logits, target)) for logits in (student.detach(), teacher))
    weight = -torch.expm1(-ce_student / (ce_teacher + WSLD_EPS))
    log_student, log_teacher = log_probabilities(student, temperature), log_probabilities(teacher, temperature)
    soft = -(log_teacher.exp() * log_student).sum(1)
    return (weight * soft).mean() * temperature**2
