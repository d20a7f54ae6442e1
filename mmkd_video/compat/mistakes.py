"""Errors that a user can fix, distinguished from failures by their type.

Each class is a builtin error too, so that ``except ValueError`` sees what it always saw. They live here because compat
imports nothing of the package and raises some of them; all others import them from :mod:`mmkd_video.core.mistakes`.
"""


class Mistake:
    """Mixin of the errors that this package's own checks raise: their text says what is wrong and what to do."""


class WrongValueError(Mistake, ValueError):
    """A setting, a file's content or an argument has a value that is not valid."""


class WrongTypeError(Mistake, TypeError):
    """A setting or an argument is of a type that is not valid."""


class WrongKeyError(Mistake, KeyError):
    """A name that is unknown, or that is taken already."""

    def __str__(self) -> str:
        return Exception.__str__(self)  # KeyError shows its text in quotes


class MissingFileError(Mistake, FileNotFoundError):
    """A file or folder does not exist."""


class ExistingFileError(Mistake, FileExistsError):
    """A file or folder exists and is not replaced."""


class UnwrittenFileError(Mistake, OSError):
    """A file could not be written, or not as a whole."""


class FolderInUseError(Mistake, BlockingIOError):
    """Another process works in a folder."""


class WaitedTooLongError(Mistake, TimeoutError):
    """Another process did not end in time."""


class NotFiniteError(Mistake, FloatingPointError):
    """A training reached values that are NaN or infinite."""


class WorkFailedError(Mistake, RuntimeError):
    """The requested work failed; the text says why."""


def name_of_kind(error: BaseException) -> str:
    """Return the name of an error's type; for a :class:`WrongValueError` that is ``ValueError``, and so on.

    Args:
        error: Any error.
    """
    kinds = type(error).__mro__
    return next(kind.__name__ for kind in kinds if kind.__module__ == 'builtins' or not isinstance(error, Mistake))
