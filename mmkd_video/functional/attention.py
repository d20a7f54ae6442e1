"""Maps of where a feature is active."""

import torch.nn.functional as F
from torch import Tensor

from mmkd_video.functional.layout import channels_and_positions, pool_map
from mmkd_video.functional.normalize import unit

__all__ = ['at', 'attention_map', 'catkd', 'per_frame_at', 'space_time_at']


def attention_map(feature: Tensor, power: float | Tensor) -> Tensor:
    """Return the unit-length activation map of every sample, ``(N, P)``; all zero where the feature is.

    Args:
        feature: Tokens ``(N, L, C)`` or map ``(N, C, [T,] H, W)``; its positions are L or ``[T *] H * W``.
        power: Exponent, at least 1; ``|feature|**power`` is averaged over the channels.
    """
    energy = channels_and_positions(feature).abs().pow(power).mean(1)
    return unit(energy, 1)


def at(student: Tensor, teacher: Tensor, power: float | Tensor) -> Tensor:
    """Attention transfer (https://arxiv.org/abs/1612.03928): mean squared difference of the unit activation maps.

    Args:
        student: Tokens ``(N, L, Cs)`` or map ``(N, Cs, [T,] H, W)``.
        teacher: The same positions, any number of channels.
        power: Exponent; see :func:`attention_map`.

    Returns:
        A scalar: the mean over N samples and P positions.
    """
    return F.mse_loss(attention_map(student, power), attention_map(teacher, power))


def _energy(feature: Tensor) -> Tensor:
    """Return the mean squared activation ``(N, T, H * W)`` of every place in space and time."""
    return feature.square().mean(1).flatten(2)


def space_time_at(student: Tensor, teacher: Tensor, where: float | Tensor, when: float | Tensor) -> Tensor:
    """Attention transfer split into where (averaged over time) and when (averaged over space) a clip is active.

    Args:
        student: Clip map ``(N, Cs, T, H, W)``.
        teacher: The same positions, any channels.
        where: Weight of the attention over ``H * W`` places.
        when: Weight of the attention over T frames.

    Returns:
        The squared distance of the unit maps, averaged over clips; a scalar of at most ``2 * (where + when)``, whatever
        the numbers of frames and places.
    """
    student, teacher = _energy(student), _energy(teacher)
    parts = [(unit(student.mean(axis), 1) - unit(teacher.mean(axis), 1)).square().sum(1).mean() for axis in (1, 2)]
    return where * parts[0] + when * parts[1]


def per_frame_at(student: Tensor, teacher: Tensor) -> Tensor:
    """Attention transfer with one unit map per frame, so that its scale does not fall with the number of frames.

    Args:
        student: Clip map ``(N, Cs, T, H, W)``.
        teacher: The same positions, any channels.

    Returns:
        The mean over clips, frames and the ``H * W`` places of a frame; a scalar.
    """
    return F.mse_loss(unit(_energy(student), 2), unit(_energy(teacher), 2))


def catkd(student: Tensor, teacher: Tensor, pool: int) -> Tensor:
    """Class attention transfer (https://arxiv.org/abs/2305.06442).

    Args:
        student: Class activation maps ``(N, K, [T,] H, W)``.
        teacher: The same K, any positions.
        pool: Places per side to which both are averaged; time is averaged to as many steps, or to the shorter side's
            where that has fewer.

    Returns:
        A scalar: the mean squared difference of the pooled maps, each of unit length per sample and class.
    """
    size = [pool, pool]
    if student.ndim == 5:
        size.insert(0, min(pool, student.shape[2], teacher.shape[2]))
    student, teacher = (unit(pool_map(feature, size).flatten(2), 2) for feature in (student, teacher))
    return F.mse_loss(student, teacher)
