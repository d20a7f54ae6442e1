"""Views of canonical features with all their positions on one axis."""

from torch import Tensor

__all__ = ['channels_and_positions']


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
