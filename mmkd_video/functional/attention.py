"""Where a feature is active."""

import torch.nn.functional as F
from torch import Tensor

from mmkd_video.functional.layout import channels_and_positions
from mmkd_video.functional.normalize import unit

__all__ = ['attention_map', 'attention_transfer']


def attention_map(feature: Tensor, power: float | Tensor) -> Tensor:
    """Return the unit-length activation map of every sample, ``(N, P)``; all zero where the feature is.

    Args:
        feature: Tokens ``(N, L, C)`` or map ``(N, C, [T,] H, W)``; its positions are L or ``[T *] H * W``.
        power: At least 1; ``|feature|**power`` is averaged over the channels.
    """
    energy = channels_and_positions(feature).abs().pow(power).mean(1)
    return unit(energy, 1)


def attention_transfer(student: Tensor, teacher: Tensor, power: float | Tensor) -> Tensor:
    """Attention transfer (https://arxiv.org/abs/1612.03928): mean squared difference of the unit activation maps.

    Args:
        student: Tokens ``(N, L, Cs)`` or map ``(N, Cs, [T,] H, W)``.
        teacher: The same positions, any number of channels.
        power: See :func:`attention_map`.

    Returns:
        A scalar: the mean over N samples and P positions.
    """
    return F.mse_loss(attention_map(student, power), attention_map(teacher, power))
