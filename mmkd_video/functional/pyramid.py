"""Comparison of the maps of several layers after pooling."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from mmkd_video.functional.layout import channels_and_positions, pool_map

__all__ = ['fsp', 'hcl']

CONTEXT_SIZES = (4, 2, 1)


def _flow(earlier: Tensor, later: Tensor) -> Tensor:
    """Return the mean product ``(N, C1, C2)`` of the channels of two maps over their common positions."""
    size = [min(sizes) for sizes in zip(earlier.shape[2:], later.shape[2:], strict=True)]
    earlier, later = (channels_and_positions(pool_map(feature, size)) for feature in (earlier, later))
    return earlier @ later.transpose(1, 2) / earlier.shape[2]


def fsp(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """FSP (https://openaccess.thecvf.com/content_cvpr_2017/html/Yim_A_Gift_From_CVPR_2017_paper.html).

    Args:
        student: L maps ``(N, C, [T,] H, W)``; of two consecutive ones the larger is averaged to the smaller in every
            dimension.
        teacher: L maps with the same channels.

    Returns:
        A scalar: the sum over the ``L - 1`` consecutive pairs of the mean squared difference of their flows.
    """
    pairs = zip(student[:-1], student[1:], teacher[:-1], teacher[1:], strict=True)
    return sum(F.mse_loss(_flow(s_low, s_high), _flow(t_low, t_high)) for s_low, s_high, t_low, t_high in pairs)


def _level(student: Tensor, teacher: Tensor) -> Tensor:
    error = student - teacher  # averaging is linear: the error of averages is the average of the error
    total, weights, weight = error.square().mean(), 1.0, 1.0
    for length in CONTEXT_SIZES:
        if length >= student.shape[-2]:
            continue
        size = [length, length] if student.ndim == 4 else [min(length, student.shape[2]), length, length]
        weight /= 2
        weights += weight
        total = total + weight * pool_map(error, size).square().mean()
    return total / weights


def hcl(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """Hierarchical context loss of ReviewKD (https://arxiv.org/abs/2104.09044).

    Args:
        student: Levels ``(N, C, [T,] H, W)``; each is compared as it is and averaged to 4, 2 and 1 places per side, as
            far as these are fewer than H. Time is averaged to as many steps, or left alone where it is shorter.
        teacher: Levels of the same shapes.

    Returns:
        A scalar: the sum over levels of the mean squared errors, each pooling weighted half of the one before.
    """
    return sum(_level(*pair) for pair in zip(student, teacher, strict=True))
