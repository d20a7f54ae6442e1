"""Ctrl-C as a wish to finish, not as an accident."""

import argparse
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType


class Interrupts:
    """While a block runs, the first ctrl-C (or SIGTERM) asks the work to stop, the second ends it.

    Attributes:
        stop: Called at the first; set by whoever works.
        happened: Whether there was one.
        exit_code: What shells expect after the one that came.
    """

    EXIT = 130
    """The exit code that shells expect after a ctrl-C."""

    def __init__(self) -> None:
        self.happened = False
        self.exit_code = self.EXIT
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
        self.happened, self.exit_code = True, 128 + number
        self.stop()


TERMINATED = 128 + signal.SIGTERM
"""The exit code that shells expect after SIGTERM."""


@contextmanager
def exit_on_interrupt(parser: argparse.ArgumentParser, hint: str = '') -> Iterator[None]:
    """End after a ctrl-C with exit code 130, after SIGTERM with 143: with one line, after the block's own clean-up.

    Args:
        parser: Parser of the command.
        hint: What to do now; goes into the line.
    """

    main = threading.current_thread() is threading.main_thread()  # Python allows handlers there only
    before = signal.signal(signal.SIGTERM, _terminate) if main else None
    try:
        yield
    except KeyboardInterrupt:
        parser.exit(Interrupts.EXIT, f'\ninterrupted{hint and "; "}{hint}\n')
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)


def exit_on_sigterm() -> None:
    """Have SIGTERM end this process as an error does, with exit code 143: what it has started is ended first."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(TERMINATED)
