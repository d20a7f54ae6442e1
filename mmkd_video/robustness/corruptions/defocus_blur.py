"""A lens out of focus."""

import cv2
import numpy as np

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.robustness.corruptions.corruption import KEYS, Corruption, scaled

RADIUS = (3, 4, 6, 8, 10)  # pixels, of frames of 224
FINER = 8  # parts of a pixel in which a disc is drawn


@TRANSFORMS.register_module()
@checked(**KEYS)
class DefocusBlur(Corruption):
    """Each point becomes a disc, with the radii of ImageNet-C for frames of 224 pixels, and as large a share of others.

    Source: Hendrycks and Dietterich (https://arxiv.org/abs/1903.12261).
    """

    def corrupt(self, frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        """See :meth:`Corruption.corrupt`."""
        kernel = _disc(scaled(self.level(RADIUS), frames[0]))
        return [cv2.filter2D(frame, -1, kernel, borderType=cv2.BORDER_REFLECT_101) for frame in frames]


def _disc(radius: float) -> np.ndarray:
    """Return a disc ``(2n + 1, 2n + 1)`` of sum 1 with smooth edges."""
    half = max(1, int(np.ceil(radius)))
    places = (np.arange((2 * half + 1) * FINER) + 0.5) / FINER - half - 0.5
    fine = (places[:, None] ** 2 + places**2 <= max(radius, 0.5) ** 2).astype(np.float32)
    kernel = fine.reshape(2 * half + 1, FINER, 2 * half + 1, FINER).sum((1, 3))
    return kernel / kernel.sum()
