"""Similarities to many other clips as a distribution."""

import torch
from torch import Tensor

from mmkd_video.functional.divergence import kl_divergence, log_probabilities
from mmkd_video.functional.normalize import unit

__all__ = ['similarity_queue']


def similarity_queue(
    student: Tensor,
    teacher: Tensor,
    queue: Tensor,
    temperature: float | Tensor,
    teacher_temperature: float | Tensor,
) -> Tensor:
    """SEED (https://arxiv.org/abs/2101.04731): the student is as near to other clips as the teacher.

    Args:
        student: Embeddings ``(N, C)``, of any length.
        teacher: Embeddings ``(N, C)``, of any length.
        queue: The teacher's embeddings of other clips ``(K, C)``, of length 1.
        temperature: Positive divisor of the student's similarities.
        teacher_temperature: Positive divisor of the teacher's.

    Returns:
        ``KL(teacher || student)`` of the softmax over each clip's cosines with its own teacher embedding and with the
        ``K`` of the queue, averaged over the N clips; a scalar.
    """
    student, teacher = unit(student, 1), unit(teacher, 1)
    ours, theirs = (
        torch.cat([(side * teacher).sum(1, keepdim=True), side @ queue.T], dim=1) for side in (student, teacher)
    )
    return kl_divergence(log_probabilities(ours, temperature), log_probabilities(theirs, teacher_temperature)).mean()
