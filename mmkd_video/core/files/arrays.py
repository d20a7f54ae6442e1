"""Arrays in ``.npz`` files that are not larger than the file."""

import zipfile
from pathlib import Path

import numpy as np

from mmkd_video.core.mistakes import WrongValueError


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Read an archive that ``numpy.savez`` wrote; nothing in it is executed.

    Args:
        path: Path of the file.

    Raises:
        ValueError: It is compressed, which ``numpy.savez`` does not do: a small file could then fill all memory.
        Exception: As NumPy and zipfile raise on a damaged file, of many types.
    """
    with zipfile.ZipFile(path) as archive:
        held = sum(part.file_size for part in archive.infolist())
    if held > Path(path).stat().st_size:
        raise WrongValueError(f'its arrays have {held} bytes, the file has {Path(path).stat().st_size}')
    with np.load(path, allow_pickle=False) as file:
        return dict(file)
