"""Ctrl-C and SIGTERM as requests to stop early, with the work so far kept."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType


class Interrupts:
    """While a block runs, the first ctrl-C (or SIGTERM) asks the work to stop, the second ends it.

    Attributes:
        stop: Function that is called at the first interrupt; the work in the block sets it.
        signal: Number of the signal that came; None before one has.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.stop: Callable[[], None] = lambda: None
        self._before: dict[int, object] = {}

    @property
    def happened(self) -> bool:
        """Whether the work was interrupted."""
        return self.signal is not None

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
        self.signal = number
        self.stop()
