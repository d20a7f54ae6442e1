"""Exported files: whole or not there, and never in the place of others unasked.

Files are made in a hidden folder beside their place, which its maker holds with a lock that ends with its process. So
what a killed maker has left is told from what is being made, whatever numbers processes have.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor

from mmkd_video.core.mistakes import ExistingFileError, WrongValueError

PLACING = 'placing'  # in the folder while files leave it: the name of the first one's place
LOCK = 'lock'  # in the folder, where the system opens no folders
FOLDERS_OPEN = os.name != 'nt'


def expect_new_files(path: str | Path, suffixes: Sequence[str], force: bool = False) -> Path:
    """Check a name to write to; what a killed writer of that name has left is removed.

    Args:
        path: Place of the first file.
        suffixes: Suffixes of all files that share the name; the first is that of ``path``.
        force: Whether existing files may be replaced.

    Raises:
        ValueError: The name ends otherwise.
        FileExistsError: A file is there and may not be replaced.
    """
    path = Path(path)
    if path.suffix != suffixes[0]:
        raise WrongValueError(f'got the name {str(path)!r}; expected one that ends in {suffixes[0]}')
    _remove_leftovers(path, suffixes)
    present = [str(path.with_suffix(suffix)) for suffix in suffixes if path.with_suffix(suffix).exists()]
    if present and not force:
        raise ExistingFileError(
            f'{" and ".join(present)} exists; give another name, or --force (force=True) to replace it'
        )
    return path


@contextmanager
def atomic_files(path: str | Path, suffixes: Sequence[str], force: bool = False) -> Iterator[Path]:
    """Write files under a temporary name; they take their places together when the block ends without an error.

    Args:
        path: Place of the first file; missing folders are made.
        suffixes: Suffixes of all files that share the name; the first is that of ``path`` and is placed last.
        force: Whether existing files may be replaced.

    Yields:
        The name to write the first file to; the others lie beside it.

    Raises:
        ValueError: The name ends otherwise.
        FileExistsError: A file is there and may not be replaced, or another process is writing it.
        OSError: A file could not be brought to the disk.
    """
    path = expect_new_files(path, suffixes, force)
    with staged_files(path, suffixes) as written:
        yield written
        _place(written, path, suffixes)


@contextmanager
def staged_files(path: Path, suffixes: Sequence[str]) -> Iterator[Path]:
    """Keep files from their place until they are checked; see :func:`commit_staged`.

    Args:
        path: Place of the first file; missing folders are made.
        suffixes: Suffixes of all files that share the name.

    Yields:
        The name to write to; files that are not committed are gone after the block.

    Raises:
        FileExistsError: Somebody is writing files of that name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path, suffixes)
    folder = _folder_of(path)
    held = _hold(folder)
    if held is None:
        raise ExistingFileError(
            f'another process is writing {path}; wait for it, or give another name; if there is none, remove {folder}'
        )
    try:
        yield folder / path.name
    finally:
        _let_go(folder, held)


def commit_staged(written: Path, path: Path, suffixes: Sequence[str], passed: bool) -> Path:
    """Move checked files to their place; if they have failed and others are there, to ``<name>.failed<suffix>``.

    Args:
        written: Path that :func:`staged_files` gave, within its block.
        path: Place of the first file.
        suffixes: Suffixes of all files that share the name; the first is placed last.
        passed: Whether they may take the place of others.

    Returns:
        Where the first file is now.

    Raises:
        OSError: A file could not be brought to the disk.
    """
    there = any(path.with_suffix(suffix).exists() for suffix in suffixes)
    place = path if passed or not there else path.with_name(f'{path.stem}.failed{path.suffix}')
    _place(written, place, suffixes)
    return place


def _place(written: Path, place: Path, suffixes: Sequence[str]) -> None:
    """Move files to their places.

    Wherever it is killed, files of two makings are never together: the old first file goes first, the new one comes
    last, and in between the others are marked as leftovers.
    """
    for suffix in suffixes:
        _sync(written.with_suffix(suffix))
    if len(suffixes) > 1:
        marker = written.with_name(PLACING)
        marker.write_text(place.name)
        _sync(marker)
        _sync(marker.parent)
        place.unlink(missing_ok=True)
        _sync(place.parent)
    try:
        for suffix in reversed(suffixes):
            os.replace(written.with_suffix(suffix), place.with_suffix(suffix))
            _sync(place.parent)
    except OSError:
        if not place.exists():
            _remove_others(place, suffixes)
        raise


def _folder_of(path: Path) -> Path:
    return path.with_name(f'.{path.name}.part')


def _hold(folder: Path) -> int | None:
    """Make a folder and hold it for this process; return the lock's file descriptor, or None where another holds it.

    On a file system without locks whoever makes it holds it, and what a killed maker has left is not told apart.
    """
    lock = folder if FOLDERS_OPEN else folder / LOCK
    while True:
        made = _make(folder)
        descriptor = os.open(lock, os.O_RDONLY if FOLDERS_OPEN else os.O_RDWR | os.O_CREAT)
        try:
            ours = lock_descriptor(descriptor, blocking=False)
        except OSError:
            ours = made
        if not ours:
            os.close(descriptor)
            return None
        if lock.exists() and os.path.samestat(os.fstat(descriptor), os.stat(lock)):
            return descriptor
        os.close(descriptor)  # it was removed by another process between the two calls


def _make(folder: Path) -> bool:
    """Make a folder; return whether it is new."""
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir():
            raise
        return False
    return True


def _let_go(folder: Path, held: int) -> None:
    if FOLDERS_OPEN:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)
    else:  # nor does it remove an open file
        os.close(held)
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(path: Path, suffixes: Sequence[str]) -> None:
    folder = _folder_of(path)
    held = _hold(folder) if folder.is_dir() else None
    if held is None:
        return
    try:
        marker = folder / PLACING
        name = marker.read_text() if marker.is_file() else ''
        place = path.with_name(name) if name in (path.name, f'{path.stem}.failed{path.suffix}') else None
        if place is not None and not place.exists():
            _remove_others(place, suffixes)
    finally:
        _let_go(folder, held)


def _remove_others(place: Path, suffixes: Sequence[str]) -> None:
    for suffix in suffixes[1:]:
        place.with_suffix(suffix).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    if path.is_dir() and not FOLDERS_OPEN:
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
