"""The decoder's side of a stream."""

import threading
import time
from collections.abc import Callable

import numpy as np

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.serving.frame_by_frame import FrameByFrame
from mmkd_video.serving.frame_preparer import FramePreparer
from mmkd_video.serving.sliding_window import SlidingWindow, Window
from mmkd_video.serving.statistics import StreamStatistics
from mmkd_video.serving.submitter import Submitter
from mmkd_video.serving.video_source import SourceLostError, VideoSource
from mmkd_video.serving.window_queue import WindowQueue

LIVE_FAILURES = 3  # pictures that a camera fails to give, one after the other, before it counts as lost
FILE_FAILURES = 1000  # of a file that says it holds more
UNKNOWN_FAILURES = 8  # of a file that does not say how many it holds
MISCOUNTED = 2  # a container may count that many pictures too many

Watcher = Callable[[int, np.ndarray], None]
"""Called with the number of each picture and the picture, ``(H, W, 3)`` uint8 BGR, before it is prepared."""


class FrameReader:
    """Read an open source to its end: grab, prepare what windows need, hand windows in.

    Damaged pictures are left out and counted. A live source that is lost is opened again.

    Args:
        source: Opened source of the pictures.
        preparer: Preparer that makes frames of them.
        window: Window that slides over the frames, or each frame by itself.
        queue: Queue that takes the windows; closed at the end.
        statistics: Counts that are kept up to date.
        reconnects: Number of times in a row that a lost live source is opened again.
        pause: Number of seconds before each time.
        watcher: Function that is given every picture.

    Attributes:
        error: Error that ended the reading; there before the queue is closed.
    """

    def __init__(
        self,
        source: VideoSource,
        preparer: FramePreparer,
        window: SlidingWindow | FrameByFrame,
        queue: WindowQueue | Submitter,
        statistics: StreamStatistics,
        reconnects: int = 5,
        pause: float = 1.0,
        watcher: Watcher | None = None,
    ) -> None:
        self.source, self.preparer, self.window, self.queue = source, preparer, window, queue
        self.statistics, self.reconnects, self.pause, self.watcher = statistics, reconnects, pause, watcher
        self.stopped = threading.Event()
        self.error: Exception | None = None
        self._failures = 0  # in a row
        self._size: tuple[int, ...] | None = None

    def run(self) -> None:
        """Read until the end, a loss for good, or :meth:`stop`.

        Raises:
            ValueError: A picture cannot be made into what the model takes, or there is none in a file.
        """
        try:
            while not self.stopped.is_set():
                if self.source.grab():
                    self._retrieve_frame()
                elif not self._may_go_on():
                    break
            if not self.stopped.is_set():
                self._finish()
        except Exception as error:
            self.error = error
            raise
        finally:
            self.queue.close()
            self.source.close()

    def stop(self) -> None:
        """End soon; windows that are complete are still handed in."""
        self.stopped.set()

    def _finish(self) -> None:
        window = self.window.finish()
        if window is not None:
            self._queue_window(window)
        if not self.statistics.frames and not self.source.live:
            raise WrongValueError(f'{self.source.name}: no picture of it can be decoded')

    def _retrieve_frame(self) -> None:
        captured, position = time.monotonic(), self.source.position()
        self.statistics.corrupt += self._failures
        self._failures = 0
        wanted, frame = self.window.wanted, None
        if wanted or self.watcher:
            image = self.source.retrieve()
            if image is None:
                self.statistics.corrupt += 1
                return
            self._notice_size(image.shape)
            if self.watcher:
                self.watcher(self.window.count, image)
            frame = self.preparer(image) if wanted else None
        self.statistics.frames += 1
        window = self.window.push(frame, position, captured)
        if window is not None:
            self._queue_window(window)

    def _queue_window(self, window: Window) -> None:
        self.queue.put(window)
        self.statistics.dropped = self.queue.dropped

    def _notice_size(self, shape: tuple[int, ...]) -> None:
        self.statistics.resizes += self._size is not None and shape != self._size
        self._size = shape

    def _may_go_on(self) -> bool:
        """After a failed grab: whether there is more to come."""
        self._failures += 1
        if self.source.live:
            return self._failures < LIVE_FAILURES or self._reconnect()
        total, seen = self.source.frame_count, self.statistics.frames + self.statistics.corrupt
        if total and seen + self._failures < total:
            return self._failures < FILE_FAILURES
        if not total:
            return self._failures < UNKNOWN_FAILURES
        if self._failures > MISCOUNTED:
            self.statistics.corrupt += self._failures
        return False

    def _reconnect(self) -> bool:
        self._failures = 0
        self.statistics.losses += 1
        self.source.close()
        for _ in range(self.reconnects):
            if self.stopped.wait(self.pause):
                return False
            try:
                self.source.open()
            except (SourceLostError, ValueError):
                continue
            self.window.interrupt()
            return True
        self.statistics.lost = True
        return False
