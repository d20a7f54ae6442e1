"""Random changes of the exposure of a clip."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmkd_video.core.checked import Number, checked
from mmkd_video.core.registry import TRANSFORMS


@TRANSFORMS.register_module()
@checked(contrast=Number(0, 1), brightness=Number(0, 255), balance=Number(0, 1))
class JitterLevels(BaseTransform):
    """Change contrast, brightness and colour balance of all frames of a clip alike.

    ``level -> 127.5 + contrast * balance * (level - 127.5) + brightness``, by one table for each channel, which is
    cheap: teachers' frames are changed before they are made small.

    Args:
        contrast: Largest relative change, 0 to 1.
        brightness: Largest change, grey levels.
        balance: Largest relative change of one channel against the others, 0 to 1.
    """

    def __init__(self, contrast: float = 0.3, brightness: float = 30.0, balance: float = 0.1) -> None:
        self.contrast, self.brightness, self.balance = contrast, brightness, balance

    def transform(self, results: dict) -> dict:
        """Change ``imgs``, a list of uint8 frames ``(H, W, 3)``."""
        draw = np.random.uniform(-1, 1, 5)
        gain = (1 + self.contrast * draw[0]) * (1 + self.balance * draw[1:4])
        levels = np.arange(256)[:, None] - 127.5
        table = np.clip(np.rint(127.5 + gain * levels + self.brightness * draw[4]), 0, 255).astype(np.uint8)
        results['imgs'] = [cv2.LUT(np.ascontiguousarray(image), table[None]) for image in results['imgs']]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(contrast={self.contrast}, brightness={self.brightness}, balance={self.balance})'
