"""Mistakes that a user can mend: the errors of this package's checks, and what wrong settings make others raise."""

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
    'blaming_settings',
    'name_of_kind',
]

# What a wrong setting makes MMEngine, MMAction2 and constructors raise.
OF_SETTINGS = (OSError, KeyError, TypeError, ValueError)


class SettingsError(Mistake, Exception):
    """A wrong setting made others raise; the cause (``__cause__``) is what they raised."""


@contextmanager
def blaming_settings(until: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Turn errors that wrong settings make others raise into :class:`SettingsError`; mistakes stay what they are.

    Args:
        until: Whether what was to be built is at work by now, so that an error is a failure.

    Raises:
        SettingsError: The block raised an OSError, KeyError, TypeError or ValueError.
    """
    try:
        yield
    except OF_SETTINGS as error:
        if isinstance(error, Mistake) or until():
            raise
        raise SettingsError(str(error)) from error
