"""A camera that moves while the shutter is open."""

import cv2
import numpy as np

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.robustness.corruptions.corruption import KEYS, Corruption, scaled

LENGTH = (8, 12, 18, 26, 36)  # pixels, of frames of 224
FINER = 8  # parts of a pixel in which a line is drawn


@TRANSFORMS.register_module()
@checked(**KEYS)
class MotionBlur(Corruption):
    """Each point becomes a line, in one direction for the whole clip, as of a camera that moves evenly.

    Its length is 8, 12, 18, 26 or 36 pixels of frames of 224, and as large a share of others.
    """

    def corrupt(self, frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        """See :meth:`Corruption.corrupt`."""
        kernel = _line(scaled(self.level(LENGTH), frames[0]), rng.uniform(0, np.pi))
        return [cv2.filter2D(frame, -1, kernel, borderType=cv2.BORDER_REFLECT_101) for frame in frames]


def _line(length: float, angle: float) -> np.ndarray:
    """Return a line ``(2n + 1, 2n + 1)`` of sum 1 through the middle, each point shared by its nearest four pixels."""
    half = max(1, int(np.ceil(length / 2)))
    along = np.linspace(-length / 2, length / 2, max(2, int(length * FINER)))
    x, y = half + along * np.cos(angle), half + along * np.sin(angle)
    kernel = np.zeros((2 * half + 2, 2 * half + 2), dtype=np.float32)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for right, share_x in ((0, 1 - (x - left)), (1, x - left)):
        for below, share_y in ((0, 1 - (y - top)), (1, y - top)):
            np.add.at(kernel, (top + below, left + right), share_x * share_y)
    kernel = kernel[: 2 * half + 1, : 2 * half + 1]
    return kernel / kernel.sum()
