"""Processes that share out the files of a cache."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from mmengine.dist import all_gather_object, broadcast_object_list, get_dist_info, init_dist

from mmkd_video.core.mistakes import WorkFailedError, WrongValueError, name_of_kind
from mmkd_video.teachers.cache import CacheWriter, Manifest, Shard, write_answers

Made = TypeVar('Made')


def join(launcher: str, settings: dict[str, Any]) -> None:
    """Join the other processes of a launch.

    Args:
        launcher: Name of what started them, as MMEngine calls it; ``'none'`` for one process.
        settings: Settings of ``torch.distributed``, such as ``dict(backend='nccl')``.
    """
    if launcher != 'none':
        init_dist(launcher, **settings)


class SharedWriter:
    """A cache in the making that several processes write; the first one holds the folder and the manifest.

    They go on file by file, each with one of its own, and wait for each other after each: what is whole then stands in
    the manifest, from which any number of processes goes on.

    Args:
        folder: Folder of the cache.
        manifest: Manifest of what it is to hold, the same in all processes.

    Raises:
        BlockingIOError: Another launch writes it.
        FileExistsError: A cache of something else is there.
        ValueError: The processes have different manifests, or that of the folder is damaged.
    """

    def __init__(self, folder: str | Path, manifest: Manifest) -> None:
        self.folder = Path(folder)
        self.rank, self.ranks = get_dist_info()
        _expect_alike(manifest)
        self._writer: CacheWriter | None = None
        self.manifest = self._first(lambda: self._open(manifest))

    def __enter__(self) -> 'SharedWriter':
        return self

    def __exit__(self, *error: Any) -> None:
        if self._writer is not None:
            self._writer.__exit__(*error)

    def rounds(self) -> Iterator[int | None]:
        """Give the number of each file that this process is to write; None where there are too few in the last round.

        :meth:`write` is to be called for each.
        """
        missing = [number for number, shard in enumerate(self.manifest.shards) if shard is None]
        for first in range(0, len(missing), self.ranks):
            place = first + self.rank
            yield missing[place] if place < len(missing) else None

    def own(self) -> list[int]:
        """Return the numbers of all files that this process is to write."""
        return [number for number in self.rounds() if number is not None]

    def write(self, number: int | None, answers: list) -> None:
        """Write one file, and wait until every process has written its own.

        Args:
            number: Number of the file; None for none.
            answers: Answers to its clips.

        Raises:
            OSError: The disk is full, for example.
        """
        written = {} if number is None else {number: write_answers(self.folder, self.manifest, number, answers)}
        everything: dict[int, Shard] = {}
        for each in all_gather_object(written):
            everything |= each
        self.manifest = self._first(lambda: self._record(everything))

    def _open(self, manifest: Manifest) -> Manifest:
        self._writer = CacheWriter(self.folder, manifest)
        return self._writer.manifest

    def _record(self, written: dict[int, Shard]) -> Manifest:
        self._writer.record(written)
        return self._writer.manifest

    def _first(self, make: Callable[[], Made]) -> Made:
        """Return what the first process makes; where it fails, all fail."""
        told: list[Any] = [None, None]
        failure: Exception | None = None
        if self.rank == 0:
            try:
                told[0] = make()
            except Exception as error:
                failure, told[1] = error, f'{name_of_kind(error)}: {error}'
        broadcast_object_list(told)
        if failure is not None:
            raise failure
        if told[1] is not None:
            raise WorkFailedError(f'rank 0 failed: {told[1]}')
        return told[0]


def _expect_alike(manifest: Manifest) -> None:
    for rank, other in enumerate(all_gather_object(manifest)):
        differing = manifest.differences(other)
        if differing:
            raise WrongValueError(
                f'rank {rank} differs from this one in {", ".join(differing)}; expected the same teacher, videos and '
                'pipelines everywhere: a teacher without a checkpoint has weights of its own in each process'
            )
