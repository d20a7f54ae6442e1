"""Frames as decord returns them."""

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
