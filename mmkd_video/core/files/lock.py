"""One process at work in one folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from filelock import lock_descriptor


def try_lock(folder: Path, work: str = 'training') -> IO | None:
    """Hold a folder, made when missing, until the file that is returned is closed or its process ends.

    Args:
        folder: The folder to hold.
        work: Name of the work that is done in it, and so of the lock.

    Returns:
        The open lock; None where another process holds it.
    """
    file = _open(folder, work)
    if _hold(file):
        return file
    file.close()
    return None


@contextmanager
def locked(folder: Path, work: str = 'training') -> Iterator[int]:
    """Hold a folder, made when missing, for this process and every child that is given the descriptor.

    A child that inherits it keeps the lock even when its parent is killed, so nobody starts beside it.

    Args:
        folder: The folder to hold.
        work: Name of the work that is done in it.

    Yields:
        The lock's file descriptor, for ``subprocess``'s ``pass_fds``.
    """
    with _open(folder, work) as file:
        if not _hold(file):
            print(f'another process is {work} in {folder}; waiting for it', flush=True)
            lock_descriptor(file.fileno())
        yield file.fileno()


def _hold(file: IO) -> bool:
    """Return whether the lock is now this process's; where the file system has none, everybody works."""
    try:
        return lock_descriptor(file.fileno(), blocking=False)
    except OSError:
        return True


def _open(folder: Path, work: str) -> IO:
    folder.mkdir(parents=True, exist_ok=True)
    return open(folder / f'.{work}', 'w')
