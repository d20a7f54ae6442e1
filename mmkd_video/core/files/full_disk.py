"""Which file it was that a full disk did not take."""

import errno
import io
from collections.abc import Iterator

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}  # what a disk says that takes no more


def is_full_disk(error: BaseException) -> bool:
    """Return whether an error says that a disk takes no more.

    Args:
        error: Any error.
    """
    return isinstance(error, OSError) and error.errno in FULL


def told_of_full_disk(error: OSError) -> str:
    """Return what to tell of a full disk: the file, and what to do.

    Args:
        error: Error of the system, wherever it was raised; one of writing does not name the file, one of opening does.
    """
    path = error.filename or next(_written(error), 'a file')
    return (
        f'{path} cannot be written ({error.strerror or error}); make room, then run the command again, a training with '
        '--resume: what was finished before is untouched'
    )


def _written(error: OSError) -> Iterator[str]:
    """Yield the names of the files that were open for writing where an error was raised, the innermost first."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    for frame in reversed(frames):
        for value in frame.f_locals.values():
            name = getattr(value, 'name', None)
            if isinstance(value, io.IOBase) and isinstance(name, str) and set(getattr(value, 'mode', '')) & set('wax+'):
                yield name
