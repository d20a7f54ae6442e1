"""Fixed codes of places in a clip or in a row of tokens."""

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ['sine_positions']

LONGEST = 10_000.0


def sine_positions(size: Sequence[int], channels: int, like: Tensor) -> Tensor:
    """Return the sine and cosine codes of all places of a grid (Vaswani et al., 2017; https://arxiv.org/abs/1706.03762).

    Each axis has an equal share of the channels; channels that are left over are zero.

    Args:
        size: Places along each axis: ``(T, H, W)`` or ``(L,)``.
        channels: Channels of the codes, at least 2 for each axis.
        like: Tensor whose device and precision they shall have.

    Returns:
        ``(T * H * W, channels)`` or ``(L, channels)``, in reading order.
    """
    waves = channels // (2 * len(size))
    rates = LONGEST ** -(torch.arange(waves, device=like.device, dtype=torch.float32) / max(waves, 1))
    axes = []
    for index, places in enumerate(size):
        angles = torch.arange(places, device=like.device, dtype=torch.float32)[:, None] * rates
        shape = [1] * len(size) + [2 * waves]
        shape[index] = places
        axes.append(torch.cat([angles.sin(), angles.cos()], dim=1).view(shape).expand(*size, -1))
    codes = torch.cat(axes, dim=-1).flatten(0, -2)
    return torch.nn.functional.pad(codes, (0, channels - codes.shape[1])).to(like.dtype)
