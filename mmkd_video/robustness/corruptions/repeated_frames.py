"""A picture that freezes."""

import numpy as np

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.robustness.corruptions.corruption import KEYS, Corruption
from mmkd_video.robustness.corruptions.dropped_frames import SHARE, lost_frames


@TRANSFORMS.register_module()
@checked(**KEYS)
class RepeatedFrames(Corruption):
    """In the place of 12.5, 25, 37.5, 50 or 75 % of the sampled frames the one before stands still.

    This is what most players do where a frame is lost: the clip freezes, and then is where it would have been. The
    first frame is never lost; a clip of one frame stays as it is.
    """

    def corrupt(self, frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        """See :meth:`Corruption.corrupt`."""
        lost = lost_frames(len(frames), self.level(SHARE), rng)
        shown: list[np.ndarray] = []
        for place, frame in enumerate(frames):
            shown.append(shown[-1] if place in lost else frame)
        return shown
