"""Ctrl-C as a wish to finish, not as an accident."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType


class Interrupts:
    """While a block runs, the first ctrl-C (or SIGTERM) asks the work to stop, the second ends it.

    Attributes:
        stop: Called at the first; set by whoever works.
        happened: Whether there was one.
    """

    EXIT = 130
    """The exit code that shells expect after a ctrl-C."""

    def __init__(self) -> None:
        self.happened = False
        self.stop: Callable[[], None] = lambda: None
        self._before: dict[int, object] = {}

    def __enter__(self) -> 'Interrupts':
        if threading.current_thread() is threading.main_thread():  # Python allows handlers there only
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.happened:
            raise KeyboardInterrupt
        self.happened = True
        self.stop()
