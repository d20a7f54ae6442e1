"""Frames that are lost."""

import numpy as np

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.robustness.corruptions.corruption import KEYS, Corruption

SHARE = (0.125, 0.25, 0.375, 0.5, 0.75)


@TRANSFORMS.register_module()
@checked(**KEYS)
class DroppedFrames(Corruption):
    """Of the sampled frames 12.5, 25, 37.5, 50 or 75 % are lost without a trace, the first one never.

    Those that are left move up, so that time jumps, and the last of them stands until the end of the clip. A clip of
    one frame has none to lose.
    """

    def corrupt(self, frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        """See :meth:`Corruption.corrupt`."""
        lost = lost_frames(len(frames), self.level(SHARE), rng)
        left = [frame for place, frame in enumerate(frames) if place not in lost]
        return left + left[-1:] * len(lost)


def lost_frames(count: int, share: float, rng: np.random.Generator) -> set[int]:
    """Draw which frames of a clip are lost: of a larger share those of a smaller one, and more.

    Args:
        count: Number of frames.
        share: Share that is lost; one frame at least, and never the first.
        rng: Generator.
    """
    order = 1 + rng.permutation(count - 1)
    return set(order[: max(1, round(share * count))].tolist())
