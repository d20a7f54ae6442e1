"""Windows that wait for the model, and what happens when they are too many."""

import threading
from collections import deque

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.serving.sliding_window import Window

DROPPING = ('oldest', 'newest')


class WindowQueue:
    """A bounded queue between the decoder and the model.

    Args:
        size: Number of windows that may wait.
        policy: Name of what happens to a window that finds the queue full: ``'oldest'`` drops the one that waits
            longest, ``'newest'`` the new one. Where none is to be dropped, :class:`Submitter` takes the queue's place.

    Attributes:
        dropped: Number of windows that were dropped so far.

    Raises:
        ValueError: The size is below 1, or the policy is unknown.
    """

    def __init__(self, size: int, policy: str) -> None:
        if size < 1:
            raise WrongValueError(f'queue: got {size}, expected at least 1')
        if policy not in DROPPING:
            raise WrongValueError(f'drop: got {policy!r}, expected one of {" or ".join(DROPPING)}')
        self.size, self.policy, self.dropped = size, policy, 0
        self._waiting: deque[Window] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, window: Window) -> None:
        """Hand a window in; never wait. After :meth:`abort`, it is forgotten."""
        with self._changed:
            if len(self._waiting) >= self.size and self.policy == 'newest':
                self.dropped += 1
                return
            if len(self._waiting) >= self.size and self.policy == 'oldest':
                self._waiting.popleft()
                self.dropped += 1
            if not self._closed:
                self._waiting.append(window)
                self._changed.notify_all()

    def get(self) -> Window | None:
        """Take the window that waits longest; wait for one. None when the queue is closed and empty."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            window = self._waiting.popleft() if self._waiting else None
            return window

    def close(self) -> None:
        """Say that no window follows; those that wait are still handed out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abort(self) -> None:
        """Close, and forget what waits."""
        with self._changed:
            self._waiting.clear()
        self.close()
