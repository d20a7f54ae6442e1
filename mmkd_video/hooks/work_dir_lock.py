"""One training at a time in a work dir."""

import os
import socket
from pathlib import Path

from mmkd_video.core.mistakes import FolderInUseError

NAME = '.mmkd_lock'
# By path: the system drops a process's lock as soon as the process closes any descriptor of that file.
_held: dict[str, int] = {}


def hold_work_dir(folder: str | Path) -> None:
    """Lock a folder for this process, until :func:`release_work_dir` or the end of the process.

    Held again by the same process nothing happens. Where the file system or, like Windows, the
    system knows no such locks, nothing is held.

    Args:
        folder: Folder, which is made when missing.

    Raises:
        BlockingIOError: Another process holds it.
    """
    path = Path(folder).resolve() / NAME
    if str(path) in _held:
        return
    try:
        import fcntl
    except ImportError:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        # Not flock: children that are forked would hold it beyond the death of their parent.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        owner = os.pread(descriptor, 200, 0).decode(errors='replace').strip()
        os.close(descriptor)
        raise FolderInUseError(
            f'{folder} is in use: {owner or "another process"} is training there; wait for its end, or choose another '
            '--work-dir'
        ) from None
    except OSError:  # no locks on this file system
        os.close(descriptor)
        return
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f'process {os.getpid()} on {socket.gethostname()}\n'.encode(), 0)
    except OSError as error:
        os.close(descriptor)
        error.filename = str(path)
        raise
    _held[str(path)] = descriptor


def release_work_dir(folder: str | Path) -> None:
    """Release a folder that :func:`hold_work_dir` locked; nothing where it did not."""
    descriptor = _held.pop(str(Path(folder).resolve() / NAME), None)
    if descriptor is not None:
        os.close(descriptor)
