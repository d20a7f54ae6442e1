"""Mistakes of a config or a command line, told in one line instead of a traceback."""

import argparse
import linecache
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TRACEBACK = 'MMKD_TRACEBACK'
# What a wrong config makes MMEngine, MMAction2 and constructors raise while they build.
OF_CONFIGS = (KeyError, TypeError, ValueError)


@contextmanager
def told_in_one_line(parser: argparse.ArgumentParser, building: Callable[[], bool]) -> Iterator[None]:
    """End with one line and exit code 1 where a mistake is found, with the whole traceback where it is no mistake.

    What a check of this package has raised is a mistake at any time. While building, so is what a wrong setting makes
    others raise. The environment variable ``MMKD_TRACEBACK=1`` shows where either was raised.

    Args:
        parser: Of the command.
        building: Says whether no training runs yet.
    """
    try:
        yield
    except Exception as error:
        own = is_own_check(error)
        if os.environ.get(TRACEBACK) or not (own or (building() and isinstance(error, (OSError, *OF_CONFIGS)))):
            raise
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        if not own and isinstance(error, OF_CONFIGS):
            text = f'{type(error).__name__}: {text} ({TRACEBACK}=1 shows where)'
        parser.exit(1, f'error: {text}\n')


def is_own_check(error: BaseException) -> bool:
    """Return whether an error comes from a ``raise`` in this package, not from a failure within or below it.

    Args:
        error: With its traceback.
    """
    frames = list(traceback.walk_tb(error.__traceback__))
    if not frames:
        return False
    frame, line = frames[-1]
    source = linecache.getline(frame.f_code.co_filename, line).strip()
    return frame.f_globals.get('__name__', '').split('.')[0] == 'mmkd_video' and source.startswith('raise ')
