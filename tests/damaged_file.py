"""Damage that no reader of weights can see, as bad memory and bad disks do it."""

import zipfile
from pathlib import Path


def damage_weights(path: Path, kind: str = 'bit') -> None:
    """Flip a bit in the middle of the first large tensor of a checkpoint, or zero the whole of it (``'block'``)."""
    with zipfile.ZipFile(path) as archive:
        part = max((each for each in archive.infolist() if '/data/' in each.filename), key=lambda each: each.file_size)
        stored = archive.read(part)
    content = path.read_bytes()
    assert content.count(stored) >= 1
    start = content.index(stored)
    changed = bytes(len(stored)) if kind == 'block' else flipped(stored)
    path.write_bytes(content[:start] + changed + content[start + len(stored) :])


def flipped(content: bytes) -> bytes:
    """Return some bytes with one bit in their middle flipped."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0x10]) + content[middle + 1 :]
