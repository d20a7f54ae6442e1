"""One process at work in one folder."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(folder: Path, work: str = 'training') -> Iterator[int]:
    """Hold a folder, made when missing, for this process and every child that is given the descriptor.

    A child that inherits it keeps the lock even when its parent is killed, so nobody starts beside it.

    Args:
        folder: To be held.
        work: What is done in it.

    Yields:
        The lock's file descriptor, for ``subprocess``'s ``pass_fds``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f'.{work}', 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f'another process is {work} in {folder}; waiting for it', flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()
