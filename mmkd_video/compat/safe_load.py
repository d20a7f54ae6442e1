"""Read a checkpoint without running anything that is in it.

Three checks, one after the other: :mod:`pickle_scan` follows what the file asks for before anything is built, torch
reads it with ``weights_only=True`` and with stand-ins for the types of NumPy and MMEngine, and :mod:`plain_content`
checks that nothing but tensors and plain data came out. For anything refused, the message names file and object in
one line.
"""

import errno
import io
import pickle
import re
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmkd_video.compat import checksums
from mmkd_video.compat.mistakes import MissingFileError, Mistake

_REFUSED = (
    r'GLOBAL (\S+) was not an allowed global',
    r'unsupported GLOBAL (\S+) whose module',
    r'reduce for unrecognized function (.+?)(?: which belongs to|\n|$)',
    r'but got (<class .+?>)',
    r'refused (.+?)(?:\n|$)',
)
_ZIP = b'PK\x03\x04'
_PICKLES_BEFORE_STORAGES = 5  # of the format before torch 1.6: magic number, version, system, content, storage keys
_LOCK = threading.RLock()


class UnsafeCheckpointError(Mistake, pickle.UnpicklingError, ValueError):
    """A checkpoint asks for something that is neither a tensor nor plain data; nothing of it was executed."""


class UnreadableCheckpointError(Mistake, pickle.UnpicklingError, ValueError):
    """A file is empty, cut off, damaged or no checkpoint at all."""


def refused_global(error: BaseException) -> str | None:
    """Return what was refused, as it is named in the error; None for any other error."""
    from mmkd_video.compat.pickle_scan import RefusedError

    if isinstance(error, RefusedError):
        return str(error)
    for pattern in _REFUSED:
        match = re.search(pattern, str(error))
        if match:
            return match.group(1)
    return None


def explain_refusal(error: BaseException, filename: str | Path) -> UnsafeCheckpointError | None:
    """Return the readable form of an error of reading, or None when the file was not refused for its content.

    Args:
        error: The error that was raised.
        filename: The file that was read.
    """
    refused = refused_global(error)
    if refused is None:
        return None
    return UnsafeCheckpointError(
        f'{filename}: refused, because it asks for {refused!r} on loading. Expected tensors, numbers, strings, '
        'containers, numpy arrays and MMEngine log buffers. Nothing of the file was executed. If you trust where it '
        'comes from, convert it once in a throw-away environment: load it there with weights_only=False and save its '
        "'state_dict' alone."
    )


def explain_failure(error: BaseException, filename: str | Path) -> Exception:
    """Return the one-line form of any error that was raised for an existing file.

    Args:
        error: The error that was raised.
        filename: The file that was read.
    """
    explained = explain_refusal(error, filename)
    if explained is not None:
        return explained
    said = re.search(r'WeightsUnpickler error:\s*(.+)', str(error))
    reason = said.group(1) if said else (str(error).strip().splitlines() or ['no message'])[0]
    return UnreadableCheckpointError(
        f'{filename} cannot be read ({type(error).__name__}: {reason}); it is empty, cut off, damaged or no '
        'checkpoint; copy it again, or name another'
    )


def expect_whole(filename: str | Path | io.BytesIO, called: str | None = None) -> None:
    """Refuse a checkpoint whose checksums do not match its content.

    Args:
        filename: Path of a file that is there; or what one holds.
        called: Name of it in the message, where it came from elsewhere.

    Raises:
        UnreadableCheckpointError: The file is damaged.
    """
    wrong = checksums.find_damage(filename)
    if wrong is not None:
        raise UnreadableCheckpointError(
            f'{called or filename} cannot be read ({wrong}); copy it again, or name another'
        )


def load(filename: str | Path, map_location: Any = 'cpu', mmap: bool = False, called: str | None = None) -> Any:
    """Read a file written by ``torch.save``, executing nothing that it holds.

    Its checksums are compared first, unless most of it stays on the disk.

    Args:
        filename: A local file.
        map_location: Device of the tensors, as in :func:`torch.load`.
        mmap: Whether to leave tensors on the disk until they are used; as in :func:`torch.load`.
        called: Name of the file in the messages, where it came from elsewhere.

    Raises:
        FileNotFoundError: There is no such file.
        UnsafeCheckpointError: The file asks for a type or function that is not on the list of allowed ones.
        UnreadableCheckpointError: The file is empty, cut off, damaged or no checkpoint.
    """
    path = Path(filename).expanduser()
    if not path.is_file():
        raise MissingFileError(f'no checkpoint at {path}; got {filename!r}, expected the path of a local file')
    if not mmap:
        expect_whole(path, called)
    with open(path, 'rb') as file:
        return _read(file, path, map_location, mmap, called or path)


def load_bytes(content: bytes, called: str, map_location: Any = 'cpu') -> Any:
    """Read what a file written by ``torch.save`` holds; see :func:`load`.

    Args:
        content: All bytes of the file.
        called: Name of it in the messages.
        map_location: Device of the tensors, as in :func:`torch.load`.

    Raises:
        UnsafeCheckpointError: As for :func:`load`.
        UnreadableCheckpointError: As for :func:`load`.
    """
    file = io.BytesIO(content)
    expect_whole(file, called)
    file.seek(0)
    return _read(file, file, map_location, False, called)


def _read(file: Any, source: Any, map_location: Any, mmap: bool, called: Any) -> Any:
    import torch

    from mmkd_video.compat.plain_content import plain_content

    try:
        _scan(file, source)
        file.seek(0)
        with _only_ours():
            loaded = torch.load(source, map_location=map_location, weights_only=True, mmap=mmap or None)
        return plain_content(loaded)
    except Exception as error:  # torch raises as many types as there are ways to break a file
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # a damaged directory of parts gives that one
            raise
        raise explain_failure(error, called) from None


def _scan(file: Any, source: Any) -> None:
    import torch

    from mmkd_video.compat.pickle_scan import scan

    zipped = file.read(len(_ZIP)) == _ZIP
    file.seek(0)
    if zipped:
        with zipfile.ZipFile(file) as archive:
            _expect_separate_parts(archive.infolist(), file.seek(0, io.SEEK_END))
        file.seek(0)
        reader = torch._C.PyTorchFileReader(source if isinstance(source, io.BytesIO) else str(source))
        scan(io.BytesIO(reader.get_record('data.pkl')))
        return
    for _ in range(_PICKLES_BEFORE_STORAGES):
        scan(file)


def _expect_separate_parts(parts: list[zipfile.ZipInfo], size: int) -> None:
    """Check that the parts lie one after the other, as torch writes them, and not packed or over each other."""
    from mmkd_video.compat.pickle_scan import RefusedError

    if any(part.compress_type != zipfile.ZIP_STORED for part in parts) or sum(part.file_size for part in parts) > size:
        raise RefusedError('more bytes than the file has')


@contextmanager
def _only_ours() -> Iterator[None]:
    """Let torch know the stand-ins, and no type that was allowed elsewhere in this process."""
    from torch.serialization import add_safe_globals, clear_safe_globals, get_safe_globals

    from mmkd_video.compat.stand_ins import stand_ins

    with _LOCK:
        before = get_safe_globals()
        clear_safe_globals()
        add_safe_globals(stand_ins())
        try:
            yield
        finally:
            clear_safe_globals()
            add_safe_globals(before)
