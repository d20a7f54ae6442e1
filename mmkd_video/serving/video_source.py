"""Where pictures come from."""

from abc import ABC, abstractmethod

import numpy as np

from mmkd_video.core.mistakes import Mistake


class SourceLostError(Mistake, OSError):
    """A source that was there is gone, or did not come back."""


class VideoSource(ABC):
    """Pictures, one after the other.

    ``grab`` moves on and is cheap; ``retrieve`` hands out the picture, which costs a conversion, so pictures that no
    window needs are only grabbed.

    Attributes:
        name: Name for messages.
        live: Whether pictures come when they come (a camera): then the end of the stream means that the source is lost,
            and whoever is too slow misses something.
    """

    name: str
    live: bool = False

    @abstractmethod
    def open(self) -> None:
        """Start at the first picture; called again after a loss.

        Raises:
            SourceLostError: It cannot be reached (live sources).
            ValueError: It is no video (files).
        """

    @abstractmethod
    def grab(self) -> bool:
        """Move to the next picture; False when there is none or when it cannot be decoded."""

    @abstractmethod
    def retrieve(self) -> np.ndarray | None:
        """Return the picture that was grabbed: ``(H, W, 3)`` uint8, BGR as OpenCV has it; None when it is damaged."""

    @abstractmethod
    def position(self) -> float:
        """Return when the grabbed picture is shown, in seconds from the start."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the source; may be called twice."""

    @property
    def fps(self) -> float:
        """Pictures per second; 0 where that is not known."""
        return 0.0

    @property
    def frame_count(self) -> int:
        """Number of pictures; 0 where that is not known."""
        return 0
