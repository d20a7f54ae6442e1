"""Noise of light."""

import numpy as np

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.robustness.corruptions.corruption import KEYS, Corruption, to_uint8

PHOTONS = (60, 25, 12, 5, 3)  # that white is made of


@TRANSFORMS.register_module()
@checked(**KEYS)
class ShotNoise(Corruption):
    """Each value counts a few photons, anew in each frame, with the numbers of ImageNet-C.

    Source: Hendrycks and Dietterich (https://arxiv.org/abs/1903.12261).
    """

    def corrupt(self, frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        """See :meth:`Corruption.corrupt`."""
        photons = self.level(PHOTONS)
        return [to_uint8(rng.poisson(frame * (photons / 255)) * (255 / photons)) for frame in frames]
