"""Which frames of a clip an attack may change."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmkd_video.core.mistakes import WrongValueError


def frame_mask(gradient: Tensor, frames: int | Sequence[int]) -> Tensor:
    """Return 1 for the frames that may change and 0 for all others.

    Args:
        gradient: Gradient ``(N, T, C, H, W)`` or ``(N, M, C, T, H, W)`` at the clean clips.
        frames: Number of frames of each clip, those where the gradient is longest; or the frames themselves, from 0
            and clip after clip where a sample has M clips.

    Returns:
        ``(N, T, 1, 1, 1)`` or ``(N, M, 1, T, 1, 1)``.

    Raises:
        ValueError: A clip has no such frame, or fewer than so many.
    """
    several = gradient.ndim == 6
    by_frame = gradient.transpose(2, 3) if several else gradient  # (N, [M,] T, C, H, W)
    found = torch.linalg.vector_norm(by_frame.flatten(-3), dim=-1)
    flat = found.flatten(1)
    most = flat.shape[1]
    largest = frames if isinstance(frames, int) else max(frames) + 1
    if largest > most:
        raise WrongValueError(
            f'attack.frames: got {frames!r}, but a clip has {most} frames; expected at most {most} frames, or their '
            f'numbers from 0 to {most - 1}'
        )
    if isinstance(frames, int):
        chosen = flat.topk(frames, dim=1).indices
    else:
        chosen = torch.tensor(sorted(set(frames)), device=flat.device).expand(len(flat), -1)
    mask = torch.zeros_like(flat).scatter_(1, chosen, 1.0).view_as(found)
    return mask.view(*found.shape[:2], 1, found.shape[2], 1, 1) if several else mask.view(*found.shape, 1, 1, 1)
