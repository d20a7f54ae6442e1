"""Frames as decord returns them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Frames:
    """One frame or several.

    Attributes:
        array: Pixels, uint8 ``(N, H, W, 3)`` or ``(H, W, 3)``, RGB.
    """

    array: np.ndarray

    def asnumpy(self) -> np.ndarray:
        """Return the array."""
        return self.array


class IndexedReader(ABC):
    """What reads frames by their indices, with a place to go on from, as decord's reader has one."""

    _next = 0

    @abstractmethod
    def get_batch(self, indices: Iterable[int]) -> Frames:
        """Return frames in the order of ``indices``."""

    def seek(self, index: int) -> None:
        """Go to a frame."""
        self._next = int(index)

    def next(self) -> Frames:
        """Return the frame that was gone to, and go one on."""
        frame = self.get_batch([self._next]).asnumpy()[0]
        self._next += 1
        return Frames(frame)
