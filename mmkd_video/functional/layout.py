"""Canonical features laid out in other ways: positions on one axis, frames first, averaged to fewer places."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

__all__ = ['channels_and_positions', 'frame_vectors', 'pool_map', 'resample_map', 'time_first']


def channels_and_positions(feature: Tensor) -> Tensor:
    """Return ``(N, C, P)``: every place in time and space becomes one of P positions.

    Args:
        feature: Vector ``(N, C)``, tokens ``(N, L, C)``, image map ``(N, C, H, W)`` or clip map ``(N, C, T, H, W)``.
    """
    if feature.ndim == 2:
        return feature.unsqueeze(-1)
    if feature.ndim == 3:
        return feature.transpose(1, 2)
    return feature.flatten(2)


def frame_vectors(feature: Tensor) -> Tensor:
    """Return one vector per frame, ``(N, T, C)``.

    Args:
        feature: Tokens ``(N, T, C)``, one per frame, or clip map ``(N, C, T, H, W)``, averaged over space.
    """
    return feature if feature.ndim == 3 else feature.mean((3, 4)).transpose(1, 2)


def time_first(feature: Tensor) -> Tensor:
    """Return the frames on the second axis, ``(N, T, ...)``.

    Args:
        feature: Tokens ``(N, T, C)``, one per frame, or clip map ``(N, C, T, H, W)``.
    """
    return feature if feature.ndim == 3 else feature.transpose(1, 2)


def pool_map(feature: Tensor, size: Sequence[int]) -> Tensor:
    """Return the map averaged to the given positions.

    A size that is a divisor is reached by means, which are cheaper and, unlike adaptive pooling, keep no map alive for
    the backward pass.

    Args:
        feature: ``(N, C, H, W)`` or ``(N, C, T, H, W)``.
        size: ``(H, W)`` or ``(T, H, W)``.
    """
    for dim, (length, wanted) in enumerate(zip(feature.shape[2:], size, strict=True), start=2):
        if length > wanted and length % wanted == 0:
            feature = feature.unflatten(dim, (wanted, -1)).mean(dim + 1)
    if tuple(feature.shape[2:]) == tuple(size):
        return feature
    pool = F.adaptive_avg_pool2d if feature.ndim == 4 else F.adaptive_avg_pool3d
    return pool(feature, tuple(size))


def resample_map(feature: Tensor, size: Sequence[int]) -> Tensor:
    """Return the map at the places of another grid: averaged along an axis that is finer, interpolated along others.

    Args:
        feature: ``(N, C, T, H, W)``.
        size: ``(T, H, W)`` of the other grid.

    Returns:
        ``(N, C, *size)``, in the precision of the map.
    """
    pooled = pool_map(feature, [min(have, want) for have, want in zip(feature.shape[2:], size, strict=True)])
    if tuple(pooled.shape[2:]) == tuple(size):
        return pooled
    return F.interpolate(pooled.float(), tuple(size), mode='trilinear', align_corners=False).to(feature.dtype)
