"""Reading a teacher's cached answers, at random."""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.teachers.cache.manifest import CLASSES, MANIFEST, PRESENT, VALUES, read_manifest
from mmkd_video.teachers.cache.shards import DTYPES, expect_file, expect_whole, open_shard
from mmkd_video.teachers.cache.topk import spread_rest

MOST_OPEN = 512


class CacheReader:
    """A cache that was made to the end.

    All files are looked for at once; each is compared with its checksum when something is first read from it.

    Args:
        folder: Folder of the cache.

    Raises:
        FileNotFoundError: There is no cache, or a file of it is missing.
        ValueError: It is damaged, or was not made to the end.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder)
        missing = self.manifest.shards.count(None)
        if missing:
            raise WrongValueError(
                f'{self.folder / MANIFEST}: {missing} of {len(self.manifest.shards)} files are still to be made; run '
                'the command that makes the cache again, which goes on where it stopped'
            )
        for number in range(len(self.manifest.shards)):
            expect_file(self.folder, self.manifest, number)
        self._whole: set[int] = set()
        self._open: OrderedDict[int, dict[str, Any]] = OrderedDict()

    def read(
        self, samples: Sequence[int], views: Sequence[int], taps: Collection[str] | None = None
    ) -> dict[str, Tensor]:
        """Read the answers to a batch.

        Args:
            samples: ``N`` places of samples in their training set.
            views: ``N`` numbers of their augmentations.
            taps: Taps to read; all by default.

        Returns:
            ``(N, ...)`` float32 by tap; scores of which the best were kept are those of :func:`spread_rest`.

        Raises:
            ValueError: An answer is missing, or a file is damaged.
        """
        taps = self.manifest.taps if taps is None else taps
        wanted = self.manifest.tensors(1, taps)
        rows = {name: np.empty((len(samples), *shape[1:]), DTYPES[dtype]) for name, (dtype, shape) in wanted.items()}
        for place, (sample, view) in enumerate(zip(samples, views, strict=True)):
            self._expect_inside(sample, view)
            number, row = self.manifest.place(sample, view)
            slices = self._shard(number)
            for name, kept in rows.items():
                kept[place] = slices[name][row : row + 1][0]
            if rows[PRESENT][place] != 1:
                raise WrongValueError(
                    f'{self.folder}: sample {sample} is missing in view {view}, as its video could not be read when '
                    'the cache was made; expected an answer to every clip of the training; mend or remove the video, '
                    'then make a new cache'
                )
        return {tap: self._answer(tap, rows) for tap in taps}

    def _answer(self, tap: str, rows: dict[str, np.ndarray]) -> Tensor:
        if f'tap.{tap}' in rows:
            return torch.from_numpy(rows[f'tap.{tap}']).float()
        classes = torch.from_numpy(rows[CLASSES])
        if ((classes < 0) | (classes >= self.manifest.classes)).any():
            raise WrongValueError(f'{self.folder}: a class of its best is none of 0 to {self.manifest.classes - 1}')
        return spread_rest(torch.from_numpy(rows[VALUES]).float(), classes, self.manifest.classes)

    def _expect_inside(self, sample: int, view: int) -> None:
        for what, value, held in (('sample', sample, self.manifest.samples), ('view', view, self.manifest.views)):
            if not 0 <= value < held:
                raise WrongValueError(f'{self.folder}: got {what} {value}; expected one of its 0 to {held - 1}')

    def _shard(self, number: int) -> dict[str, Any]:
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number]
        if number not in self._whole:
            expect_whole(self.folder, self.manifest, number)
            self._whole.add(number)
        self._open[number] = open_shard(self.folder, self.manifest, number)
        if len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)
        return self._open[number]
