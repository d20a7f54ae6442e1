"""A camera with fewer pixels."""

import cv2
import numpy as np

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.robustness.corruptions.corruption import KEYS, Corruption

FACTOR = (2, 3, 4, 6, 8)


@TRANSFORMS.register_module()
@checked(**KEYS)
class LowResolution(Corruption):
    """Frames of a half, third, quarter, sixth or eighth of the sides, averaged over areas and enlarged again."""

    def corrupt(self, frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        """See :meth:`Corruption.corrupt`."""
        height, width = frames[0].shape[:2]
        small = [max(1, round(side / self.level(FACTOR))) for side in (width, height)]
        shrunk = [cv2.resize(frame, small, interpolation=cv2.INTER_AREA) for frame in frames]
        return [cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR) for frame in shrunk]
