"""Errors that a user can fix: those of this package's checks, and those that wrong settings cause elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mmkd_video.compat.mistakes import (
    ExistingFileError,
    FolderInUseError,
    MissingFileError,
    Mistake,
    NotFiniteError,
    UnwrittenFileError,
    WaitedTooLongError,
    WorkFailedError,
    WrongKeyError,
    WrongTypeError,
    WrongValueError,
    name_of_kind,
)

__all__ = [
    'ExistingFileError',
    'FolderInUseError',
    'MissingFileError',
    'Mistake',
    'NotFiniteError',
    'SettingsError',
    'UnwrittenFileError',
    'WaitedTooLongError',
    'WorkFailedError',
    'WrongKeyError',
    'WrongTypeError',
    'WrongValueError',
    'as_settings_errors',
    'first_line',
    'name_of_kind',
]

# What a wrong setting makes MMEngine, MMAction2 and constructors raise.
CAUSED_BY_SETTINGS = (OSError, KeyError, TypeError, ValueError)


class SettingsError(Mistake, Exception):
    """A wrong setting caused an error in another library, which is the ``__cause__``."""


@contextmanager
def as_settings_errors(until: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Turn errors that wrong settings cause elsewhere into :class:`SettingsError`; a ``Mistake`` stays as it is.

    Args:
        until: Function that returns whether building is over, so that an error is no longer due to the settings.

    Raises:
        SettingsError: The block raised an OSError, KeyError, TypeError or ValueError.
    """
    try:
        yield
    except CAUSED_BY_SETTINGS as error:
        if isinstance(error, Mistake) or until():
            raise
        raise SettingsError(str(error)) from error


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message; the name of its kind where it has none."""
    return str(error).splitlines()[0] if str(error) else name_of_kind(error)
