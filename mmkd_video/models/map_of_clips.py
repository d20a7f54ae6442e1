"""What heads that read maps of clips, or of their frames, expect of these."""

from typing import Any

from torch import Tensor

from mmkd_video.core.mistakes import WrongValueError


def expect_map_of_clips(x: Any, in_channels: int, head: str) -> None:
    """Refuse what is no map of clips ``(N, C, T, H, W)``, nor one of their frames in a row ``(N * T, C, H, W)``.

    Args:
        x: Feature that a head is given.
        in_channels: Number C of its channels.
        head: Name of the head, for the message.

    Raises:
        ValueError: It has other channels, or is no map.
    """
    if not isinstance(x, Tensor) or x.ndim not in (4, 5) or x.shape[1] != in_channels:
        got = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise WrongValueError(
            f'{head}.in_channels: got a feature {got}; expected one map of {in_channels} channels, '
            '(N, C, T, H, W) or (N * T, C, H, W); set it to the channels that neck or backbone give'
        )
