"""A dark scene."""

import numpy as np

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.robustness.corruptions.corruption import KEYS, Corruption, to_uint8

LIGHT = (1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32)
STD = (1.0, 2.0, 3.0, 4.0, 5.0)  # of 255
GAMMA = 2.2


@TRANSFORMS.register_module()
@checked(**KEYS)
class LowLight(Corruption):
    """A half to a thirty-second of the light, in steps of one stop, and the noise of reading that this leaves visible.

    Light is what is proportional to the power 2.2 of a pixel. The noise has a standard deviation of 1 to 5 of 255.
    """

    def corrupt(self, frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        """See :meth:`Corruption.corrupt`."""
        factor, std = self.level(LIGHT) ** (1 / GAMMA), self.level(STD)
        return [
            to_uint8(frame * np.float32(factor) + std * rng.standard_normal(frame.shape, dtype=np.float32))
            for frame in frames
        ]
