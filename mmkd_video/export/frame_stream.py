"""Files that take one frame at a time, in their runtime."""

from abc import ABC, abstractmethod

import numpy as np

FRAME = 'frame'
NEXT = 'next.'
"""In an ONNX file with states, input ``<name>`` takes what output ``next.<name>`` gave at the frame before."""


class FrameStream(ABC):
    """One video on its way through a file with states, frame by frame; several may be under way in one open file."""

    @abstractmethod
    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """Take the next frame.

        Args:
            frame: ``(C, H, W)`` of the type that the metadata say, raw, 0 to 255.

        Returns:
            ``(K,)`` float32 probabilities, told from this frame and all before it.
        """

    @abstractmethod
    def reset(self) -> None:
        """Forget all frames: the next one is the first of another video."""


def frames_of(clip: np.ndarray, layout: str) -> np.ndarray:
    """Return the frames ``(T, C, H, W)`` of a sample that holds one clip.

    Args:
        clip: ``(T, C, H, W)`` for ``'NCHW'``, ``(1, C, T, H, W)`` for ``'NCTHW'``.
        layout: The layout.
    """
    return clip if layout == 'NCHW' else clip[0].transpose(1, 0, 2, 3)
