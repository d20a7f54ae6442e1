"""Distillation of predictions at several temperatures and three levels."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmkd_video.functional.divergence import kl_divergence, log_probabilities

__all__ = ['mlkd']


def mlkd(student: Tensor, teacher: Tensor, temperatures: Sequence[float]) -> Tensor:
    """Multi-level logit distillation
    (https://openaccess.thecvf.com/content/CVPR2023/html/Jin_Multi-Level_Logit_Distillation_CVPR_2023_paper.html).

    Args:
        student: Logits ``(N, K)``.
        teacher: Logits ``(N, K)``.
        temperatures: List of positive numbers; their losses are summed.

    Returns:
        A scalar: the sum over temperatures of KD, of the squared difference of the sample Gram matrices over N and of
        the class Gram matrices over K.
    """
    num_samples, num_classes = student.shape
    total = student.new_zeros(())
    for temperature in temperatures:
        log_student, log_teacher = log_probabilities(student, temperature), log_probabilities(teacher, temperature)
        p_student, p_teacher = log_student.exp(), log_teacher.exp()
        instances = kl_divergence(log_student, log_teacher).mean() * temperature**2
        batch = torch.sum((p_student @ p_student.T - p_teacher @ p_teacher.T) ** 2) / num_samples
        classes = torch.sum((p_student.T @ p_student - p_teacher.T @ p_teacher) ** 2) / num_classes
        total = total + instances + batch + classes
    return total
