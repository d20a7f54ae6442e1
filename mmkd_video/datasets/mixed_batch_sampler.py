"""Batches with a fixed share of labelled clips."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dataset import DefaultSampler

from mmkd_video.core.checked import Anything, Fraction, Whole, checked
from mmkd_video.core.mistakes import WrongTypeError
from mmkd_video.core.registry import DATA_SAMPLERS

_LABELLED, _UNLABELLED = 0, 1


class RepeatedIndex(int):
    """Index of a sample that comes more than once in an epoch.

    Attributes:
        repeat: Number of earlier passes over its list in the whole training.
    """

    repeat: int = 0


@DATA_SAMPLERS.register_module()
@checked(sampler=Anything('MMEngine fills it in'), batch_size=Whole(2), labelled=Fraction())
class MixedBatchSampler:
    """Put as many labelled clips into every batch of every process.

    Labelled and unlabelled clips are two endless streams, each shuffled in every pass over its list; processes
    take turns. Which clips a batch holds follows from the sampler's seed and the batch's number, so that a resume is
    exact. An epoch has as many batches as without this sampler; the shorter list is passed more often. Where all clips
    are labelled, or none, batches are ordinary ones.

    Args:
        sampler: A ``DefaultSampler``, which knows the dataset, the seed, the epoch and the processes.
        batch_size: Clips of a batch, of each process.
        labelled: Share of labelled clips, above 0 and below 1; at least one clip of either kind is taken.

    Raises:
        ValueError: An argument is out of its range.
        TypeError: The sampler is another one.
    """

    def __init__(self, sampler: DefaultSampler, batch_size: int, labelled: float = 0.5) -> None:
        if not isinstance(sampler, DefaultSampler):
            raise WrongTypeError(
                f'MixedBatchSampler: got sampler {type(sampler).__name__}, expected DefaultSampler, also for training '
                'by iterations'
            )
        self.sampler, self.batch_size = sampler, batch_size
        labels = np.array([has_label(sampler.dataset, index) for index in range(len(sampler.dataset))], dtype=bool)
        self.lists = np.flatnonzero(labels), np.flatnonzero(~labels)
        wanted = min(max(round(labelled * batch_size), 1), batch_size - 1)
        if not len(self.lists[_LABELLED]) or not len(self.lists[_UNLABELLED]):
            wanted = batch_size if len(self.lists[_LABELLED]) else 0
        self.counts = wanted, batch_size - wanted
        self._order: dict[int, tuple[int, np.ndarray]] = {}

    def __len__(self) -> int:
        return -(-len(self.sampler.dataset) // (self.batch_size * self.sampler.world_size))

    def __iter__(self) -> Iterator[list[int]]:
        """Iterate over one epoch, the labelled clips of a batch first."""
        if 0 in self.counts:
            order = list(self.sampler)
            yield from (order[first : first + self.batch_size] for first in range(0, len(order), self.batch_size))
            return
        for batch in range(len(self)):
            number = (self.sampler.epoch * len(self) + batch) * self.sampler.world_size + self.sampler.rank
            yield [
                self._clip_at(which, number * count + place)
                for which, count in enumerate(self.counts)
                for place in range(count)
            ]

    def _clip_at(self, which: int, position: int) -> int:
        """Return the clip at a position of an endless stream."""
        repeat, place = divmod(position, len(self.lists[which]))
        if self._order.get(which, (None,))[0] != repeat:
            clips = self.lists[which]
            draw = np.random.default_rng((self.sampler.seed, which, repeat))
            self._order[which] = repeat, draw.permutation(clips) if self.sampler.shuffle else clips
        index = RepeatedIndex(self._order[which][1][place])
        index.repeat = repeat
        return index


def has_label(dataset: Any, index: int) -> bool:
    """Return whether a sample has a label; samples of a dataset that knows no labels have one.

    Args:
        dataset: Data set with MMEngine's ``get_data_info``.
        index: Index of the sample.
    """
    label = dataset.get_data_info(index).get('label', 0) if hasattr(dataset, 'get_data_info') else 0
    return not isinstance(label, (int, np.integer)) or label >= 0
