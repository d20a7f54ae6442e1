"""How much of a picture comes through a pipeline."""

import math
from collections.abc import Callable

import cv2
import numpy as np

LITTLE_SEEN = 0.25  # of a picture's area; the usual centre crop of a wide picture leaves more
PROBE_SCALE = 4  # times the model's frames
ROUNDING = 0.01  # pixels
Run = Callable[[np.ndarray], np.ndarray]


def seen_part(run: Run, height: int, width: int) -> tuple[float, float] | None:
    """Find out by a picture whose values say where they are.

    Args:
        run: Function that makes ``(crops, C, H', W')`` of a picture ``(H, W, 3)``.
        height: Height of the pictures.
        width: Width of the pictures.

    Returns:
        The shares of height and width, 0 to 1, that reach the model in one crop or another; None where the picture does
        not go through.
    """
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    try:
        found = run(np.stack([columns, rows, columns], axis=2))
    except (AssertionError, ValueError, cv2.error):
        return None
    shares = []
    for values, outputs, whole in ((found[:, 1], found.shape[2], height), (found[:, 0], found.shape[3], width)):
        between = max(outputs - 1, 1)  # the values are those of pixels' middles
        shares.append(min(1.0, float(np.ptp(values)) * outputs / between / whole))
    return shares[0], shares[1]


def fitting_size(run: Run, height: int, width: int, frame: tuple[int, int]) -> tuple[int, int] | None:
    """Return the size at which the model sees most of pictures, of the same proportions.

    Args:
        run: Function that makes ``(crops, C, H', W')`` of a picture ``(H, W, 3)``.
        height: Height of the pictures.
        width: Width of the pictures.
        frame: Height and width of the model's frames.

    Returns:
        Height and width; None where no other size lets the model see more.
    """
    before = seen_part(run, height, width)
    larger = max(1.0, PROBE_SCALE * max(frame) / min(height, width))
    tried = math.ceil(height * larger), math.ceil(width * larger)
    part = seen_part(run, *tried)
    if part is None:
        return None
    factor = max(part)
    size = tuple(math.ceil(whole * factor - ROUNDING) for whole in tried)
    after = seen_part(run, *size)
    if after is None or (before is not None and math.prod(after) < 1.02 * math.prod(before)):
        return None
    return size
