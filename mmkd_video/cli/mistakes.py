"""Errors of a config or a command line, shown as one line instead of a traceback."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from mmkd_video.cli.watched_output import WatchedOutput, discard
from mmkd_video.core.files.full_disk import is_full_disk, told_of_full_disk
from mmkd_video.core.mistakes import Mistake, SettingsError

TRACEBACK = 'MMKD_TRACEBACK'
REFUSED, INTERRUPTED, BROKEN_PIPE = 1, 130, 141
EXITS = (
    'exit codes: 0 done; 1 refused or failed, told in one line (the environment variable '
    f'{TRACEBACK}=1 shows where); 2 wrong arguments; 130 ctrl-C; 141 broken pipe; 143 ended by SIGTERM'
)


@contextmanager
def exit_on_mistake(parser: argparse.ArgumentParser) -> Iterator[None]:
    """End with one line and exit code 1 on an error that the user can fix; a failure keeps its traceback.

    Errors of the first kind are those of this package's checks, and those that a wrong setting causes while something
    is built from it; a full disk is one too, whoever writes. The environment variable ``MMKD_TRACEBACK=1`` shows where
    any of them was raised.

    Args:
        parser: Parser of the command.
    """
    try:
        with output_that_arrives():
            yield
    except Exception as error:
        if os.environ.get(TRACEBACK) or not (isinstance(error, Mistake) or is_full_disk(error)):
            raise
        parser.exit(REFUSED, f'error: {error_line(error)}\n')


@contextmanager
def exit_on_error(parser: argparse.ArgumentParser, resumes: bool = False) -> Iterator[None]:
    """End a tool with one line and its exit code, whatever it raises; ``MMKD_TRACEBACK=1`` shows the traceback.

    Args:
        parser: Parser of the command.
        resumes: Whether the same command goes on where an interrupted one stopped.
    """
    try:
        with output_that_arrives():
            yield
    except KeyboardInterrupt:
        parser.exit(INTERRUPTED, f'\ninterrupted{"; the same command goes on from here" if resumes else ""}\n')
    except BrokenPipeError:  # nobody reads on
        discard(sys.stdout)
        parser.exit(BROKEN_PIPE)
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        parser.exit(REFUSED, f'error: {error_line(error)}\n')


@contextmanager
def output_that_arrives() -> Iterator[None]:
    """End with one line where what the block prints or logs is not written, with 141 alone where nobody reads on.

    An exit without an error, such as that of ``--help``, counts as the end of the block.
    """
    if sys.stdout is None:  # closed by whoever started the tool
        yield
        return
    output = WatchedOutput(sys.stdout)
    try:
        with redirect_stdout(output):
            yield
    except BaseException as error:
        lost = output.finish()
        told = lost is error or (lost is not None and isinstance(error, SystemExit) and not error.code)
        if not told or os.environ.get(TRACEBACK):
            raise
    lost = output.finish()
    if isinstance(lost, BrokenPipeError):
        sys.exit(BROKEN_PIPE)
    if lost is not None:
        print(f'error: the output cannot be written ({lost.strerror or lost})', file=sys.stderr)
        sys.exit(REFUSED)


def error_line(error: Exception) -> str:
    """Return the message of an error; for errors of other packages with its type, and how to see where it was raised.

    Args:
        error: Error with its traceback.
    """
    if isinstance(error, SettingsError) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    if is_full_disk(error) and not isinstance(error, Mistake):
        return told_of_full_disk(error)
    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    if isinstance(error, (Mistake, OSError)):
        return str(text)
    package = type(error).__module__.partition('.')[0]
    name = type(error).__name__ if package == 'builtins' else f'{package}.{type(error).__name__}'
    return f'{name}: {text} ({TRACEBACK}=1 shows where)'
