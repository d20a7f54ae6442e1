"""The canonical layouts in which features leave a model; the rank of a tensor determines its layout."""

from collections.abc import Sequence

from mmkd_video.core.mistakes import WrongValueError

LAYOUT_OF_RANK = {2: 'vector', 3: 'tokens', 5: 'map'}
LAYOUT_SHAPES = {'logits': '(N, K)', 'vector': '(N, C)', 'tokens': '(N, L, C)', 'map': '(N, C, T, H, W)'}


def layout_of(shape: Sequence[int]) -> str:
    """Name the canonical layout of a feature.

    Args:
        shape: Shape of the feature, batch first: ``(N, C)``, ``(N, L, C)`` or ``(N, C, T, H, W)``.

    Returns:
        ``'vector'``, ``'tokens'`` or ``'map'``.

    Raises:
        ValueError: The rank belongs to no canonical layout.
    """
    if len(shape) not in LAYOUT_OF_RANK:
        raise WrongValueError(
            f'a feature of shape {tuple(shape)} has no canonical layout; expected '
            '(N, C), (N, L, C) or (N, C, T, H, W): tap another module, or one item of its output with [i]'
        )
    return LAYOUT_OF_RANK[len(shape)]


def channels_of(shape: Sequence[int]) -> int:
    """Return the number of channels of a feature of canonical ``shape``."""
    return shape[1] if layout_of(shape) != 'tokens' else shape[2]
