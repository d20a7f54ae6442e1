"""One file of a teacher's answers: written as a whole, checked before it is read."""

from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.digest import sha256_of
from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.teachers.cache.manifest import Manifest, Shard

REMEDY = 'make it again: the command that made the cache replaces the files that are damaged or missing'
DTYPES = {'U8': np.uint8, 'F16': np.float16, 'I32': np.int32}


def expect_file(folder: Path, manifest: Manifest, number: int) -> None:
    """Check that a file is there and has its size; nothing of it is read.

    Args:
        folder: Folder of the cache.
        manifest: Its manifest.
        number: Number of the file.

    Raises:
        FileNotFoundError: It is missing.
        ValueError: It has another size.
    """
    path, shard = folder / manifest.file(number), manifest.shards[number]
    if not path.is_file():
        raise MissingFileError(f'{path} does not exist; {REMEDY}')
    size = path.stat().st_size
    if size != shard.bytes:
        raise WrongValueError(f'{path}: got {size} bytes; expected {shard.bytes}, it is cut off or altered; {REMEDY}')


def expect_whole(folder: Path, manifest: Manifest, number: int) -> None:
    """Check that a file is there, and that its content is what was written.

    Raises:
        FileNotFoundError: It is missing.
        ValueError: It is damaged.
    """
    expect_file(folder, manifest, number)
    path = folder / manifest.file(number)
    if sha256_of(path) != manifest.shards[number].sha256:
        raise WrongValueError(f'{path}: its checksum is not that of the manifest, it is damaged; {REMEDY}')


def open_shard(folder: Path, manifest: Manifest, number: int) -> dict[str, Any]:
    """Map a file into memory.

    Args:
        folder: Folder of the cache.
        manifest: Its manifest.
        number: Number of the file, which is known to be whole.

    Returns:
        Slices by name of the tensor: ``slices[name][first:last]`` reads rows.

    Raises:
        ValueError: Its tensors are others than the manifest says.
    """
    path = folder / manifest.file(number)
    expected = manifest.tensors(len(manifest.covers(number)[1]))
    try:
        opened = safe_open(path, framework='numpy')
        slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118  it is no mapping
        found = {name: (each.get_dtype(), tuple(each.get_shape())) for name, each in slices.items()}
    except (SafetensorError, OSError) as error:
        raise WrongValueError(f'{path}: no file of answers ({str(error).splitlines()[0][:100]}); {REMEDY}') from None
    for name in sorted({*found, *expected}):
        if found.get(name) != expected.get(name):
            raise WrongValueError(
                f'{path}: got {name[:60]!r} as {_told(found.get(name))}; expected {_told(expected.get(name))}; {REMEDY}'
            )
    return slices


def write_shard(folder: Path, manifest: Manifest, number: int, tensors: dict[str, np.ndarray]) -> Shard:
    """Write a file, atomically.

    Args:
        folder: Folder of the cache.
        manifest: Its manifest.
        number: Number of the file.
        tensors: All that it is to hold, by name.

    Returns:
        What the manifest is to say of it.

    Raises:
        OSError: The disk is full, for example.
    """
    path = folder / manifest.file(number)
    content = save(tensors)
    write_atomically(content, path)
    return Shard(sha256_of(path), len(content))


def _told(tensor: tuple[str, tuple[int, ...]] | None) -> str:
    return 'nothing' if tensor is None else f'{tensor[0]} of shape {tensor[1]}'
