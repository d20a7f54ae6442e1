"""Scores of prototypes, centred and sharpened."""

from torch import Tensor


def centred_cross_entropy(
    student: Tensor, teacher: Tensor, centre: Tensor, temperature: float | Tensor, teacher_temperature: float | Tensor
) -> Tensor:
    """Return the cross entropy of a student against a teacher whose scores are centred and sharpened.

    Caron et al., Emerging Properties in Self-Supervised Vision Transformers (https://arxiv.org/abs/2104.14294),
    algorithm 1: ``-sum softmax((teacher - centre) / teacher_temperature) * log_softmax(student / temperature)``.

    Args:
        student: Scores ``(N, K)``.
        teacher: Scores ``(N, K)``.
        centre: ``(K,)``, subtracted from the teacher's scores: what all clips have in common tells nothing.
        temperature: Number above 0 that divides the student's scores.
        teacher_temperature: Number above 0 that divides the teacher's; the smaller, the sharper.

    Returns:
        0-d, averaged over the N clips.
    """
    target = ((teacher - centre) / teacher_temperature).softmax(dim=1)
    return -(target * (student / temperature).log_softmax(dim=1)).sum(dim=1).mean()
