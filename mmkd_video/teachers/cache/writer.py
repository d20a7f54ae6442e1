"""Writing a teacher's answers to a cache, file by file; what is written stays when the writer is killed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from torch import Tensor

from mmkd_video.core.files.lock import try_lock
from mmkd_video.core.files.temporary import remove_temporary_files
from mmkd_video.core.mistakes import ExistingFileError, FolderInUseError, NotFiniteError, WrongValueError
from mmkd_video.teachers.cache.manifest import (
    CLASSES,
    MANIFEST,
    PRESENT,
    VALUES,
    Manifest,
    Shard,
    read_manifest,
    row_bytes,
)
from mmkd_video.teachers.cache.shards import DTYPES, expect_whole, write_shard
from mmkd_video.teachers.cache.topk import keep_topk

SHARD_BYTES = 1 << 26
MOST_ROWS = 1024  # ranks share out files


def rows_for(taps: Mapping[str, tuple[int, ...]], samples: int) -> int:
    """Return how many samples a file is to have: so many that it has about 64 MiB."""
    return max(1, min(SHARD_BYTES // row_bytes(taps), MOST_ROWS, samples))


class CacheWriter:
    """A cache in the making; a context manager, which keeps other writers out.

    Where a cache of the same description is there, its files are checked and what is whole is kept.

    Args:
        folder: Folder of the cache, made when missing.
        manifest: Manifest of what it is to hold; the files in it do not count.

    Raises:
        BlockingIOError: Another process writes it.
        FileExistsError: A cache of something else is there.
        ValueError: The manifest that is there is damaged, or the one that is given contradicts itself.
    """

    def __init__(self, folder: str | Path, manifest: Manifest) -> None:
        self.folder = Path(folder)
        self.manifest = replace(manifest, shards=(None,) * (manifest.views * manifest.parts))
        self.manifest.check(str(self.folder / MANIFEST))
        self._lock = try_lock(self.folder, 'caching')
        if self._lock is None:
            raise FolderInUseError(f'{self.folder}: another process is writing this cache; wait for it to end')
        try:
            self._take_over()
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> 'CacheWriter':
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lock.close()

    @property
    def missing(self) -> list[int]:
        """Numbers of the files that are still to be written."""
        return [number for number, shard in enumerate(self.manifest.shards) if shard is None]

    def write(self, number: int, answers: Sequence[Mapping[str, Tensor] | None]) -> None:
        """Write one file.

        Args:
            number: Number of the file.
            answers: Answers to one clip by tap for each of its samples, or None where its video cannot be read.

        Raises:
            FloatingPointError: An answer is not finite in half precision.
            OSError: The disk is full, for example.
            ValueError: An answer has another shape, or there is none for a sample.
        """
        self.record({number: write_answers(self.folder, self.manifest, number, answers)})

    def record(self, written: Mapping[int, Shard]) -> None:
        """Take files into the manifest that :func:`write_answers` has written, here or in other processes.

        Args:
            written: Result of it, by number of the file.

        Raises:
            OSError: The disk is full, for example.
        """
        for number, shard in written.items():
            self.manifest = self.manifest.with_shard(number, shard)
        self.manifest.save(self.folder)  # after the files, so that it names none that is not there

    def _take_over(self) -> None:
        if not (self.folder / MANIFEST).exists():
            self.manifest.save(self.folder)
            return
        there = read_manifest(self.folder)
        differing = there.differences(self.manifest)
        if differing:
            raise ExistingFileError(
                f'{self.folder} holds a cache of something else: it differs in {", ".join(differing)}; give another '
                'folder, or remove this one'
            )
        remove_temporary_files(self.folder)
        for number, shard in enumerate(there.shards):
            if shard is None:
                continue
            try:
                expect_whole(self.folder, there, number)
            except (FileNotFoundError, ValueError):
                there = there.with_shard(number, None)
        if there.shards.count(None):
            there.save(self.folder)
        self.manifest = there


def write_answers(
    folder: str | Path, manifest: Manifest, number: int, answers: Sequence[Mapping[str, Tensor] | None]
) -> Shard:
    """Write one file of a cache; it counts when :meth:`CacheWriter.record` has taken it into the manifest.

    Args:
        folder: Folder of the cache.
        manifest: Manifest of the cache.
        number: Number of the file.
        answers: Answers to one clip by tap for each of its samples, or None where its video cannot be read.

    Raises:
        FloatingPointError: An answer is not finite in half precision.
        OSError: The disk is full, for example.
        ValueError: An answer has another shape, or there is none for a sample.
    """
    rows = len(manifest.covers(number)[1])
    if len(answers) != rows:
        raise WrongValueError(f'{folder}: got answers to {len(answers)} clips; expected {rows}')
    tensors = {name: np.zeros(shape, DTYPES[dtype]) for name, (dtype, shape) in manifest.tensors(rows).items()}
    for row, answer in enumerate(answers):
        if answer is not None:
            _fill(tensors, row, answer, manifest)
    return write_shard(Path(folder), manifest, number, tensors)


def _fill(tensors: dict[str, np.ndarray], row: int, answer: Mapping[str, Tensor], manifest: Manifest) -> None:
    tensors[PRESENT][row] = 1
    for tap, shape in manifest.taps.items():
        if tuple(answer[tap].shape) != shape:
            raise WrongValueError(
                f'{tap}: the teacher answers with shape {tuple(answer[tap].shape)}; expected {shape}, as in the '
                'first clip: only clips of one size can be cached'
            )
        found = answer[tap].detach().float().cpu()
        if not found.half().isfinite().all():
            raise NotFiniteError(
                f'{tap}: the teacher answers with {found.abs().max():g}, which half precision does not hold; '
                'check the teacher, or leave this tap out of the cache'
            )
        if tap == 'logits' and manifest.topk is not None:
            values, classes = keep_topk(found[None], manifest.topk)
            tensors[VALUES][row], tensors[CLASSES][row] = values[0].half().numpy(), classes[0].numpy()
        else:
            tensors[f'tap.{tap}'][row] = found.to(torch.float16).numpy()
