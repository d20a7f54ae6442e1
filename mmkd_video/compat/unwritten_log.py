"""A training whose log cannot be written, the disk being full, ends with exit code 0 and a log that lacks its end.

Cause: for a line that could not be written Python's ``logging`` prints a traceback to stderr, and goes on.

Mend: the log files of MMEngine's loggers raise :class:`UnwrittenFileError`, once; what follows is not written. Their
standard output ends with one line on stderr: a training goes on without its terminal. The tools tell of it at the end.
"""

import contextlib
import sys
from collections.abc import Callable
from logging import FileHandler, Handler, LogRecord, NullHandler, StreamHandler
from types import ModuleType
from typing import Any

from mmkd_video.compat.mistakes import UnwrittenFileError
from mmkd_video.compat.patching import after_import, wrap


def _raising(handler: FileHandler, handlers: list) -> Callable[[LogRecord], None]:
    known = handler.handleError

    def tell(record: LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):  # such as a line whose arguments are wrong
            known(record)
            return
        handlers.remove(handler)
        told = UnwrittenFileError(
            f'{handler.baseFilename} cannot be written ({error.strerror or error}); make room, then --resume'
        )
        told.errno = error.errno
        raise told from error

    return tell


def _ending(handler: StreamHandler, handlers: list) -> Callable[[LogRecord], None]:
    known = handler.handleError

    def tell(record: LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            known(record)
            return
        handlers[handlers.index(handler)] = NullHandler()  # the list is being gone through
        if not isinstance(error, BrokenPipeError):  # nobody reads on
            with contextlib.suppress(OSError):
                print(f'warning: the log is not shown any more ({error.strerror or error})', file=sys.stderr)

    return tell


def _with_raising_files(init: Callable) -> Callable:
    def construct(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        for handler in self.handlers:
            if isinstance(handler, FileHandler):
                handler.handleError = _raising(handler, self.handlers)
            elif isinstance(handler, StreamHandler):
                handler.handleError = _ending(handler, self.handlers)

    return construct


def _mend(module: ModuleType) -> None:
    wrap(module.MMLogger, '__init__', _with_raising_files)


def applies() -> bool:
    """Return whether ``logging`` has no other answer to a line that could not be written, as in all Python versions."""
    return FileHandler.handleError is Handler.handleError


def apply() -> None:
    """Wrap the constructor when MMEngine's logger is imported."""
    after_import('mmengine.logging.logger', _mend)
