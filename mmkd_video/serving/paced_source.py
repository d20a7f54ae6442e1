"""A file in the place of a camera."""

import time

import numpy as np

from mmkd_video.serving.video_source import VideoSource

DEFAULT_FPS = 25.0


class PacedSource(VideoSource):
    """A source that gives its pictures no faster than they were taken, and does not wait for a slow reader.

    Pictures that were due while nobody asked are still given, at once: what is too much is for the queue to drop.

    Args:
        source: A file, usually.
    """

    def __init__(self, source: VideoSource) -> None:
        self.source, self.name = source, source.name
        self._began: float | None = None
        self._grabbed = 0

    def open(self) -> None:
        """See :meth:`VideoSource.open`."""
        self.source.open()
        self._began, self._grabbed = None, 0

    def grab(self) -> bool:
        """See :meth:`VideoSource.grab`; waits until the picture is due."""
        if not self.source.grab():
            return False
        now = time.monotonic()
        self._began = now if self._began is None else self._began
        due = self._began + self._grabbed / (self.source.fps or DEFAULT_FPS)
        self._grabbed += 1
        if due > now:
            time.sleep(due - now)
        return True

    def retrieve(self) -> np.ndarray | None:
        """See :meth:`VideoSource.retrieve`."""
        return self.source.retrieve()

    def position(self) -> float:
        """See :meth:`VideoSource.position`."""
        return self.source.position()

    def close(self) -> None:
        """See :meth:`VideoSource.close`."""
        self.source.close()

    @property
    def live(self) -> bool:
        """See :attr:`VideoSource.live`."""
        return self.source.live

    @property
    def fps(self) -> float:
        """See :attr:`VideoSource.fps`."""
        return self.source.fps

    @property
    def frame_count(self) -> int:
        """See :attr:`VideoSource.frame_count`."""
        return self.source.frame_count
