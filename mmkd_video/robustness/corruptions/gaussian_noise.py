"""Noise of a sensor."""

import numpy as np

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.robustness.corruptions.corruption import KEYS, Corruption, to_uint8

STD = (0.08, 0.12, 0.18, 0.26, 0.38)  # of 255


@TRANSFORMS.register_module()
@checked(**KEYS)
class GaussianNoise(Corruption):
    """Normally distributed noise, anew in each frame, with the standard deviations of ImageNet-C.

    Source: Hendrycks and Dietterich (https://arxiv.org/abs/1903.12261).
    """

    def corrupt(self, frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        """See :meth:`Corruption.corrupt`."""
        std = 255 * self.level(STD)
        return [to_uint8(frame + std * rng.standard_normal(frame.shape, dtype=np.float32)) for frame in frames]
