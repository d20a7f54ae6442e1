"""Read a checkpoint without running anything that is in it.

``torch.load(weights_only=True)`` refuses a file that asks for anything but tensors and plain data, but its message
names neither the file nor, at first sight, the thing refused, and recommends switching the protection off. Of a file
that is empty, cut off or no checkpoint it says as much in as many ways as there are to break one.
"""

import pickle
import re
from pathlib import Path
from typing import Any

from mmkd_video.compat import checksums

_REFUSED = (
    r'GLOBAL (\S+) was not an allowed global',
    r'unsupported GLOBAL (\S+) whose module',
    r'reduce for unrecognized function (.+?)(?: which belongs to|\n|$)',
    r'but got (<class .+?>)',
)


class UnsafeCheckpointError(pickle.UnpicklingError, ValueError):
    """A checkpoint asks for something that is neither a tensor nor plain data; nothing of it was executed."""


class UnreadableCheckpointError(pickle.UnpicklingError, ValueError):
    """A file is empty, cut off, damaged or no checkpoint at all."""


def refused_global(error: BaseException) -> str | None:
    """Return what torch refused, as it is named in the error of ``torch.load``; None for any other error."""
    for pattern in _REFUSED:
        match = re.search(pattern, str(error))
        if match:
            return match.group(1)
    return None


def explain(error: BaseException, filename: str | Path) -> UnsafeCheckpointError | None:
    """Return the readable form of an error of ``torch.load``, or None when the file was not refused for its content.

    Args:
        error: What ``torch.load`` raised.
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


def explain_any(error: Exception, filename: str | Path) -> Exception:
    """Return the one-line form of whatever ``torch.load`` raised for a file that is there.

    Args:
        error: What was raised.
        filename: The file that was read.
    """
    explained = explain(error, filename)
    if explained is not None:
        return explained
    said = re.search(r'WeightsUnpickler error:\s*(.+)', str(error))
    reason = said.group(1) if said else (str(error).strip().splitlines() or ['no message'])[0]
    return UnreadableCheckpointError(
        f'{filename} cannot be read ({type(error).__name__}: {reason}); it is empty, cut off, damaged or no '
        'checkpoint; copy it again, or name another'
    )


def expect_whole(filename: str | Path) -> None:
    """Refuse a local file whose checksums do not match its content.

    Args:
        filename: Of a file that is there.

    Raises:
        UnreadableCheckpointError: The file is damaged.
    """
    wrong = checksums.damage(filename)
    if wrong is not None:
        raise UnreadableCheckpointError(f'{filename} cannot be read ({wrong}); copy it again, or name another')


def load(filename: str | Path, map_location: Any = 'cpu') -> Any:
    """Read a file written by ``torch.save``, executing nothing that it holds.

    Its checksums are compared first.

    Args:
        filename: A local file.
        map_location: As in :func:`torch.load`.

    Raises:
        FileNotFoundError: There is no such file.
        UnsafeCheckpointError: The file asks for a type or function that is not on the list of allowed ones.
        UnreadableCheckpointError: The file is empty, cut off, damaged or no checkpoint.
    """
    import torch

    from mmkd_video.compat import checkpoints

    checkpoints.allow_types()
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'no checkpoint at {path}; got {filename!r}, expected the path of a local file')
    expect_whole(path)
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except OSError:
        raise
    except Exception as error:  # torch raises as many types as there are ways to break a file
        raise explain_any(error, path) from None
