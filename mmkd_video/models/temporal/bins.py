"""Averages and maxima of maps over a grid of bins."""

import torch
from torch import Tensor

KINDS = ('avg', 'max')


def pool_to(maps: Tensor, grid: tuple[int, ...], kind: str = 'avg') -> Tensor:
    """Pool the last dimensions of maps to a grid, as torch's adaptive pooling does.

    Bin i of n covers ``floor(i L / n)`` up to ``ceil((i + 1) L / n)``. Written with means and maxima of slices, it can
    be exported whatever the sizes are; torch's own cannot where they do not divide.

    Args:
        maps: ``(N, C, ...)``.
        grid: Number of bins of each of the last dimensions.
        kind: ``'avg'`` or ``'max'``.

    Returns:
        ``(N, C, ..., *grid)``.
    """
    for dim, bins in zip(range(-len(grid), 0), grid, strict=True):
        maps = _pool_one(maps, dim, bins, kind)
    return maps


def reduce_over(maps: Tensor, dims: tuple[int, ...], kind: str) -> Tensor:
    """Return the average or the maximum over some dimensions, which stay with size 1.

    Args:
        maps: Tensor of any shape.
        dims: The dimensions.
        kind: ``'avg'`` or ``'max'``.
    """
    return maps.mean(dim=dims, keepdim=True) if kind == 'avg' else maps.amax(dim=dims, keepdim=True)


def _pool_one(maps: Tensor, dim: int, bins: int, kind: str) -> Tensor:
    size = maps.shape[dim]
    if size == bins:
        return maps
    edges = [(place * size // bins, -(-(place + 1) * size // bins)) for place in range(bins)]
    return torch.cat([reduce_over(maps.narrow(dim, low, high - low), (dim,), kind) for low, high in edges], dim=dim)
