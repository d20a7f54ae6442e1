"""The crop and flip a student drew, in coordinates relative to the video's frame."""

from collections.abc import Sequence

import cv2
import mmcv
import numpy as np

Box = tuple[float, float, float, float]
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


class Geometry:
    """Crops and flips waiting to be done to a view's frames.

    They are collected while the student's transforms run and done at once, from the frames as decoded, so that the view
    is resampled once and loses nothing to the student's smaller size.
    """

    def __init__(self) -> None:
        self.box = WHOLE
        self.flips: dict[str, bool] = {'horizontal': False, 'vertical': False}

    def crop(self, box: Box) -> None:
        """Add a crop to ``box``: x, y, width and height relative to the frame as cropped and flipped so far."""
        x, y, width, height = box
        if self.flips['horizontal']:
            x = 1 - x - width
        if self.flips['vertical']:
            y = 1 - y - height
        left, top, outer_width, outer_height = self.box
        self.box = (left + x * outer_width, top + y * outer_height, width * outer_width, height * outer_height)

    def flip(self, direction: str) -> None:
        """Add a flip in ``direction``, ``'horizontal'`` or ``'vertical'``."""
        self.flips[direction] = not self.flips[direction]

    def apply(self, frames: Sequence[np.ndarray], size: tuple[int, int] | None, interpolation: str) -> list[np.ndarray]:
        """Crop, resize and flip frames, then start afresh.

        Args:
            frames: Frames of shape (H, W, C).
            size: Width and height to resize to in pixels, or None to keep those of the crop.
            interpolation: Name of the interpolation, as mmcv spells it.

        Returns:
            New frames; those given are not written to.
        """
        height, width = frames[0].shape[:2]
        left, right = _edges(self.box[0], self.box[2], width)
        top, bottom = _edges(self.box[1], self.box[3], height)
        frames = [frame[top:bottom, left:right] for frame in frames]
        if size is not None and size != (right - left, bottom - top):
            frames = [mmcv.imresize(frame, size, interpolation=interpolation) for frame in frames]
        code = {(False, False): None, (True, False): 1, (False, True): 0, (True, True): -1}[tuple(self.flips.values())]
        if code is not None:
            frames = [cv2.flip(np.ascontiguousarray(frame), code) for frame in frames]
        self.__init__()
        return frames


def relative_crop(before: Sequence[float], after: Sequence[float]) -> Box:
    """The crop that turned one ``crop_quadruple`` into the next, relative to the first.

    Args:
        before: Crop as x, y, width and height relative to the video's frame.
        after: The same after the crop.
    """
    x, y, width, height = (float(value) for value in before)
    return (
        (float(after[0]) - x) / width,
        (float(after[1]) - y) / height,
        float(after[2]) / width,
        float(after[3]) / height,
    )


def _edges(start: float, length: float, pixels: int) -> tuple[int, int]:
    """First pixel of a relative interval and the one after its last; at least one pixel, never outside."""
    first = min(max(round(start * pixels), 0), pixels - 1)
    return first, min(max(round((start + length) * pixels), first + 1), pixels)
