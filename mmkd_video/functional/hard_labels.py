"""The teacher's decision as a label."""

import torch.nn.functional as F
from torch import Tensor

__all__ = ['hard_kd']


def hard_kd(student: Tensor, teacher: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross entropy of the student with the class that the teacher decides for (https://arxiv.org/abs/2012.12877).

    Args:
        student: Logits ``(N, K)``.
        teacher: Logits ``(N, K)``; of equal ones the first counts.
        smoothing: Share of the label that is spread evenly over all classes, from 0 to below 1.

    Returns:
        A scalar, averaged over the N samples.
    """
    return F.cross_entropy(student, teacher.argmax(dim=1), label_smoothing=float(smoothing))
