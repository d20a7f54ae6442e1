"""Ctrl-C and SIGTERM end a tool in order, with the exit codes that shells expect."""

import argparse
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mmkd_video.cli.mistakes import INTERRUPTED

TERMINATED = 128 + signal.SIGTERM
"""The exit code that shells expect after SIGTERM."""


@contextmanager
def exit_on_interrupt(parser: argparse.ArgumentParser, hint: str = '') -> Iterator[None]:
    """End after a ctrl-C with exit code 130, after SIGTERM with 143: with one line, after the block's own clean-up.

    Args:
        parser: Parser of the command.
        hint: Words on what to do now, for the line.
    """

    main = threading.current_thread() is threading.main_thread()  # Python allows handlers there only
    before = signal.signal(signal.SIGTERM, _terminate) if main else None
    try:
        yield
    except KeyboardInterrupt:
        parser.exit(INTERRUPTED, f'\ninterrupted{hint and "; "}{hint}\n')
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)


def exit_on_sigterm() -> None:
    """Have SIGTERM end this process as an error does, with exit code 143: what it has started is ended first."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(TERMINATED)
