"""Words on a picture."""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

FONT, SCALE, THICKNESS = cv2.FONT_HERSHEY_SIMPLEX, 1.5, 2  # drawn large, then made as small as it has to be
MARGIN = 60  # pixels around what is drawn
TALLEST_TEXT = 'Ájgy|'  # from the highest to the lowest stroke
LINE_SHARE, LEAST_LINE = 1 / 12, 14  # of the picture's height, and in pixels


def draw_caption(image: np.ndarray, lines: Sequence[str]) -> None:
    """Write lines into the upper left corner, white in a black box each, never wider than the picture.

    OpenCV's own text differs from version to version in width, weight and line breaks; so a line is drawn once, on a
    ground of its own, and scaled to its place.

    Args:
        image: ``(H, W, 3)`` uint8; drawn upon.
        lines: Lines from top to bottom; those below the picture are left out.
    """
    height, width = image.shape[:2]
    line_height = max(LEAST_LINE, round(height * LINE_SHARE))
    margin = line_height // 6
    top = 0
    for text in lines:
        inked = _scaled(text, line_height - 2 * margin, width - 2 * margin)
        bottom, right = top + inked.shape[0] + 2 * margin, inked.shape[1] + 2 * margin
        if bottom > height:
            return
        image[top:bottom, :right] = 0
        image[top + margin : bottom - margin, margin : right - margin] = inked[..., None]
        top = bottom


@lru_cache(maxsize=256)
def _scaled(text: str, height: int, most: int) -> np.ndarray:
    """Return ``(h, w)`` uint8, as high as asked unless that were too wide."""
    inked = _drawn(text)
    factor = min(height / inked.shape[0], most / inked.shape[1])
    size = max(1, int(inked.shape[1] * factor)), max(1, int(inked.shape[0] * factor))
    return cv2.resize(inked, size, interpolation=cv2.INTER_AREA)


def _drawn(text: str) -> np.ndarray:
    """Return ``(h, w)`` uint8: the ink of a line, as high as any letter reaches."""
    rows = np.flatnonzero(_canvas(TALLEST_TEXT).any(1))
    ink = _canvas(text)[rows[0] : rows[-1] + 1]
    columns = np.flatnonzero(ink.any(0))
    return ink[:, columns[0] : columns[-1] + 1] if len(columns) else ink[:, :1]


def _canvas(text: str) -> np.ndarray:
    (width, height), _ = cv2.getTextSize(text, FONT, SCALE, THICKNESS)
    # Twice as wide, as not every version measures well.
    canvas = np.zeros((3 * MARGIN, 2 * width + 2 * MARGIN), np.uint8)
    cv2.putText(canvas, text, (MARGIN, 2 * MARGIN), FONT, SCALE, 255, THICKNESS, cv2.LINE_AA)
    return canvas
