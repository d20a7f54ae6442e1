"""A camera with fewer frames a second."""

import numpy as np

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.robustness.corruptions.corruption import KEYS, Corruption

RATE = (0.75, 0.5, 0.4, 0.3, 0.2)


@TRANSFORMS.register_module()
@checked(**KEYS)
class FrameRateChange(Corruption):
    """The sampled frames are shown at 75, 50, 40, 30 or 20 % of their rate, in the same time.

    Frame t of the clip is the latest that a camera of the lower rate has taken by then. Nothing is drawn.
    """

    def corrupt(self, frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        """See :meth:`Corruption.corrupt`."""
        rate = round(100 * self.level(RATE))  # whole numbers, as products of floats may fall below one
        taken = [place * rate // 100 for place in range(len(frames))]
        return [frames[-(-number * 100 // rate)] for number in taken]
