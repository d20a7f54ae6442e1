"""One row of channels for each position of a feature, and back."""

from torch import Tensor

from mmkd_video.core.token_subset import TokenSubset
from mmkd_video.functional import sine_positions


def to_rows(feature: Tensor) -> Tensor:
    """Return ``(N, C, T, H, W)``, ``(N, L, C)`` or ``(N, C)`` as rows ``(N, L, C)``."""
    if feature.ndim == 2:
        return feature[:, None]
    return feature.flatten(2).transpose(1, 2) if feature.ndim == 5 else feature


def from_rows(rows: Tensor, like: Tensor) -> Tensor:
    """Return rows ``(N, L, C)`` in the layout and with the positions of ``like``.

    Args:
        rows: One row for each position, in reading order.
        like: Feature whose layout and positions they have; its channels may differ.
    """
    if like.ndim == 2:
        return rows[:, 0]
    return rows.transpose(1, 2).unflatten(2, like.shape[2:]) if like.ndim == 5 else rows


def codes_of(feature: Tensor, channels: int, seen: TokenSubset | None = None) -> Tensor:
    """Return the fixed codes of a feature's positions: of T, H and W for a map, of L for tokens.

    Args:
        feature: Map ``(N, C, T, H, W)`` or tokens ``(N, L, C)``.
        channels: Channels of the codes.
        seen: Places of the tokens in the grid of all; None for all.

    Returns:
        ``(L, channels)``; of some tokens ``(N, K, channels)``, the codes of T, H and W of their places in the grid.
    """
    if seen is not None:
        return seen.of(sine_positions(seen.grid, channels, feature))
    return sine_positions(feature.shape[2:] if feature.ndim == 5 else feature.shape[1:2], channels, feature)
