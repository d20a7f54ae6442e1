"""Exported files: whole or not there, and never in the place of others unasked."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


def expect_new(path: str | Path, suffixes: Sequence[str], force: bool = False) -> Path:
    """Check a name to write to.

    Args:
        path: Where the first file is to be.
        suffixes: Of all files that share the name; the first is that of ``path``.
        force: Whether existing files may be replaced.

    Raises:
        ValueError: The name ends otherwise.
        FileExistsError: A file is there and may not be replaced.
    """
    path = Path(path)
    if path.suffix != suffixes[0]:
        raise ValueError(f'got the name {str(path)!r}; expected one that ends in {suffixes[0]}')
    present = [str(path.with_suffix(suffix)) for suffix in suffixes if path.with_suffix(suffix).exists()]
    if present and not force:
        raise FileExistsError(
            f'{" and ".join(present)} exists; give another name, or --force (force=True) to replace it'
        )
    return path


@contextmanager
def placed_files(path: str | Path, suffixes: Sequence[str], force: bool = False) -> Iterator[Path]:
    """Write files under a temporary name; they take their places together when the block ends without an error.

    Args:
        path: Where the first file is to be; missing folders are made.
        suffixes: Of all files that share the name; the first is that of ``path`` and is placed last.
        force: Whether existing files may be replaced.

    Yields:
        The name to write the first file to; the others lie beside it.

    Raises:
        ValueError: The name ends otherwise.
        FileExistsError: A file is there and may not be replaced.
    """
    path = expect_new(path, suffixes, force)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = path.parent / f'.{path.name}.{os.getpid()}.part'
    folder.mkdir()
    try:
        yield folder / path.name
        for suffix in reversed(suffixes):
            written = (folder / path.name).with_suffix(suffix)
            with open(written, 'rb+') as file:
                os.fsync(file.fileno())
            os.replace(written, path.with_suffix(suffix))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def on_trial(path: Path, suffixes: Sequence[str]) -> Iterator[Path]:
    """Keep files from their place until they are checked; see :func:`settle`.

    Args:
        path: Where the first file is to be; missing folders are made.
        suffixes: Of all files that share the name.

    Yields:
        The name to write to; its files are gone after the block.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = path.parent / f'.{path.name}.{os.getpid()}.trial'
    folder.mkdir()
    try:
        yield folder / path.name
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def settle(written: Path, path: Path, suffixes: Sequence[str], passed: bool) -> Path:
    """Move checked files to their place; if they have failed and others are there, to ``<name>.failed<suffix>``.

    Args:
        written: What :func:`on_trial` gave, within its block.
        path: Where the first file is to be.
        suffixes: Of all files that share the name; the first is placed last.
        passed: Whether they may take the place of others.

    Returns:
        Where the first file is now.
    """
    there = any(path.with_suffix(suffix).exists() for suffix in suffixes)
    place = path if passed or not there else path.with_name(f'{path.stem}.failed{path.suffix}')
    for suffix in reversed(suffixes):
        os.replace(written.with_suffix(suffix), place.with_suffix(suffix))
    return place
