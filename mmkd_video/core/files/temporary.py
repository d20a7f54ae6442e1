"""Files that are being written, beside their places.

Their names have a random part, so that no two writers share one, whatever numbers their processes have. Their writers
hold them with a lock that ends with the process: what nobody holds was left by a writer that was killed.
"""

import glob
import os
import secrets
from pathlib import Path

from filelock import lock_descriptor

TEMPORARY_SUFFIX = '.mmkd-tmp'
HELD = os.name != 'nt'  # Windows lets nobody else write a file that is locked, and renames no open one


class TemporaryFile:
    """A new file that is to take the place of another, held until it does; what was left of that one is removed.

    Args:
        path: The place to take.
        ending: End of the temporary name, for writers that look at it.

    Raises:
        OSError: The folder is missing or cannot be written to.
    """

    def __init__(self, path: str | Path, ending: str = '') -> None:
        self.place = Path(path)
        for left in self.place.parent.glob(f'.{glob.escape(self.place.name)}.*{TEMPORARY_SUFFIX}*'):
            _remove_if_left(left)
        self._descriptor = -1
        while self._descriptor < 0:
            name = f'.{self.place.name}.{secrets.token_hex(6)}{TEMPORARY_SUFFIX}{ending}'
            self.path = self.place.with_name(name)
            self._descriptor = _make(self.path)

    def write(self, content: bytes) -> None:
        """Write to the file.

        Args:
            content: Bytes that the file is to hold.

        Raises:
            OSError: The disk is full, for example.
        """
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def commit(self) -> None:
        """Bring the file to the disk and then to its place; :func:`sync_folder` brings its name to the disk.

        Raises:
            OSError: One of both failed.
        """
        os.fsync(self._descriptor)
        if not HELD:
            self._let_go()
        os.replace(self.path, self.place)
        self._let_go()

    def discard(self) -> None:
        """Remove the file, unless it has taken its place."""
        if not HELD:
            self._let_go()
        self.path.unlink(missing_ok=True)
        self._let_go()

    def _let_go(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


def remove_temporary_files(folder: str | Path) -> list[Path]:
    """Remove what writers that were killed have left in a folder.

    Args:
        folder: Folder to clean, without the folders in it; it may be missing.

    Returns:
        The removed files.
    """
    return [path for path in sorted(Path(folder).glob(f'.*{TEMPORARY_SUFFIX}*')) if _remove_if_left(path)]


def _make(path: Path) -> int:
    """Make a file and hold it; return its descriptor, or -1 where another name must be tried."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, 'O_BINARY', 0), 0o666)
    except FileExistsError:
        return -1
    # Whoever removes leftovers may have found it before it was held.
    if _hold(descriptor, unknown=True) and os.fstat(descriptor).st_nlink:
        return descriptor
    os.close(descriptor)
    return -1


def _remove_if_left(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:  # it has taken its place, or is another user's
        return False
    try:
        left = _hold(descriptor, unknown=False)
        if left:
            path.unlink(missing_ok=True)
        return left
    finally:
        os.close(descriptor)


def _hold(descriptor: int, unknown: bool) -> bool:
    """Return whether a file is now held by this process; ``unknown`` where there are no locks."""
    if not HELD:
        return unknown
    try:
        return lock_descriptor(descriptor, blocking=False)
    except OSError:
        return unknown


def sync_folder(folder: Path) -> None:
    """Bring the names of a folder to the disk: a rename is only there once its folder is.

    Args:
        folder: The folder.

    Raises:
        OSError: The disk fails.
    """
    if os.name == 'nt':  # which opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
