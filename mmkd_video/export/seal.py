"""A digest inside exported files, over everything in them.

A flipped bit in a weight, in the graph or in the metadata, and a ``.bin`` beside the ``.xml`` of another model, are
seen before a runtime opens the file.
"""

import hashlib
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from mmkd_video.core.mistakes import WrongValueError

FIELD = 'digest'
BLANK = 'sha256:' + 64 * '0'
MOST_SEALS = 16  # that are looked at; the whole file is digested for each
_SEAL = re.compile(rb'sha256:[0-9a-f]{64}')


def seal(path: Path, suffixes: Sequence[str]) -> None:
    """Write the digest of some files into the first one, in the place of :data:`BLANK`, which it holds once.

    Args:
        path: Path of the first file.
        suffixes: Suffixes of all files that share the name; the first is that of ``path``.

    Raises:
        ValueError: The first file does not hold the blank digest, or more than one.
    """
    content, blank = path.read_bytes(), BLANK.encode()
    if content.count(blank) != 1:
        raise WrongValueError(f'{path} holds {content.count(blank)} blank digests, expected one')
    path.write_bytes(content.replace(blank, _digest(content, _others(path, suffixes))))


def expect_sealed(path: Path, suffixes: Sequence[str]) -> None:
    """Refuse files that are not as they were written; files without a digest are not judged.

    Args:
        path: Path of the first file.
        suffixes: Suffixes of all files that share the name; the first is that of ``path``.

    Raises:
        ValueError: Their content does not match the digest.
    """
    content = path.read_bytes()
    seals = list(islice(_SEAL.finditer(content), MOST_SEALS))
    others = _others(path, suffixes) if seals else []
    for found in seals:  # a file that was made from another one may hold that one's, too
        blank = content[: found.start()] + BLANK.encode() + content[found.end() :]
        if _digest(blank, others) == found[0]:
            return
    if seals:
        beside = f', or {" and ".join(str(path.with_suffix(suffix)) for suffix in suffixes[1:])}' * (len(suffixes) > 1)
        sizes = _sizes(path, suffixes)
        again = ' (or both belong to different exports)' if beside else ''
        raise WrongValueError(
            f'{path}{beside} is damaged{again}: the digest in it does not match {sizes}; '
            'copy it again, or export it again'
        )


def _others(path: Path, suffixes: Sequence[str]) -> list[bytes]:
    return [path.with_suffix(suffix).read_bytes() for suffix in suffixes[1:]]


def _sizes(path: Path, suffixes: Sequence[str]) -> str:
    parts = [path.with_suffix(suffix) for suffix in suffixes]
    return ' and '.join(f'{part.name} ({part.stat().st_size} bytes)' for part in parts)


def _digest(content: bytes, others: Sequence[bytes]) -> bytes:
    digest = hashlib.sha256(content)
    for other in others:
        digest.update(other)
    return b'sha256:' + digest.hexdigest().encode()
