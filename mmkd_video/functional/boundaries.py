"""Where one class gives way to another in a sequence of frames."""

import torch
from torch import Tensor

from mmkd_video.functional.binary import binary_divergence
from mmkd_video.functional.divergence import log_probabilities

__all__ = ['boundary_kd', 'change_log_odds']

_SURE = 1e-6  # a probability of a change, or of none, counts as this at least


def change_log_odds(scores: Tensor) -> Tensor:
    """Return the log-odds that two neighbouring frames are of different classes, ``(N, T - 1)``.

    Their classes are taken as drawn apart from each other: the probability of the same one is ``sum_k p_k q_k``.

    Args:
        scores: Class scores of frames, ``(N, T, K)``.
    """
    log = log_probabilities(scores)
    same = (log[:, 1:] + log[:, :-1]).logsumexp(dim=-1).exp().clamp(_SURE, 1 - _SURE)
    return torch.log1p(-same) - same.log()


def boundary_kd(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the binary divergence of where classes change, averaged over clips and pairs of frames; a scalar.

    Args:
        student: Class scores ``(N, T, K)``.
        teacher: Class scores ``(N, T, K)``.
    """
    if student.shape[1] < 2:
        return student.sum() * 0.0
    return binary_divergence(change_log_odds(student), change_log_odds(teacher)).mean()
