"""``ColorJitter`` fails with ``OverflowError: Python integer -12 out of bounds for uint8`` in half of all calls.

Cause: ``adjust_hue`` adds a signed offset to a uint8 hue; numpy 2 no longer widens the array for it (NEP 50,
https://numpy.org/neps/nep-0050-scalar-promotion.html).

Fix: the same computation with the hue in int16. For offsets that did not fail the result is the same, as long as hue
and offset together stay below 256 (``hue`` up to 0.29); above, uint8 wrapped around and int16 does not.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from mmkd_video.compat.patching import after_import, wrap


def _widened(_: Callable) -> Callable:
    import cv2
    import numpy as np

    def adjust_hue(img: Any, factor: float) -> Any:
        hsv = cv2.cvtColor(np.clip(img, 0, 255).astype(np.uint8), cv2.COLOR_RGB2HSV)
        shifted = hsv[..., 0].astype(np.int16) + int(factor * 255)
        hsv[..., 0] = (shifted % 180).astype(np.uint8)  # OpenCV's hue of 8-bit images runs from 0 to 179
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)

    return adjust_hue


def _patch(module: ModuleType) -> None:
    if applies():
        wrap(module.ColorJitter, 'adjust_hue', _widened)


def applies() -> bool:
    """Return whether numpy refuses a negative offset on uint8."""
    import numpy as np

    try:
        np.zeros(1, dtype=np.uint8) + -1
    except OverflowError:
        return True
    return False


def apply() -> None:
    """Replace the method when MMAction2's transforms are imported."""
    after_import('mmaction.datasets.transforms.processing', _patch)
