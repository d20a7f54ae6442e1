"""Something in front of the camera."""

import numpy as np

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.robustness.corruptions.corruption import KEYS, Corruption

AREA = (0.05, 0.1, 0.2, 0.3, 0.4)  # of the picture
ASPECTS = (0.5, 2.0)


@TRANSFORMS.register_module()
@checked(**KEYS)
class Occlusion(Corruption):
    """A rectangle of one colour hides 5, 10, 20, 30 or 40 % of the picture, at one place for the whole clip."""

    def corrupt(self, frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        """See :meth:`Corruption.corrupt`."""
        height, width = frames[0].shape[:2]
        color = rng.integers(0, 256, 3, dtype=np.uint8)
        root, share = np.exp(rng.uniform(*np.log(ASPECTS)) / 2), self.level(AREA) ** 0.5
        rows, columns = (
            max(1, round(min(side, 1.0) * of)) for side, of in ((share * root, height), (share / root, width))
        )
        top, left = (int(rng.random() * (room + 1)) for room in (height - rows, width - columns))
        hidden = [frame.copy() for frame in frames]
        for frame in hidden:
            frame[top : top + rows, left : left + columns] = color
        return hidden
