"""Batches of keys instead of indices, so that persistent workers learn the epoch."""

from collections.abc import Iterator
from typing import Any

from mmengine.dataset import InfiniteSampler

from mmkd_video.datasets.seeded import SampleKey


class KeyedBatchSampler:
    """Turn the indices of any batch sampler into keys of sample and epoch.

    The epoch is the sampler's own where it has one (DefaultSampler's ``set_epoch``), else the number of passes over the
    data: counted across all ranks for InfiniteSampler, by iterations of this object for other samplers.

    Where a batch holds several clips of each video, a batch of n videos becomes ``clips`` batches of n / ``clips``
    videos each: as many passes, of as many batches as ever, take each video once. A key's epoch then counts these
    rounds.

    Args:
        batch_sampler: The batch sampler to wrap; its attributes are reached through the wrapper, so that
            ``batch_sampler.sampler.set_epoch`` still works.
        clips: Number of clips of a video in a batch.
    """

    def __init__(self, batch_sampler: Any, clips: int = 1) -> None:
        self.batch_sampler = batch_sampler
        self.clips = clips
        self.skip = 0
        self._pass = 0
        self._drawn = 0
        self._began = (0, 0, 0)

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__') or 'batch_sampler' not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.batch_sampler, name)

    @property
    def endless(self) -> bool:
        """Whether one iteration goes over the data again and again."""
        return isinstance(getattr(self.batch_sampler, 'sampler', None), InfiniteSampler)

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the next pass, for the wrapped sampler too if it has a ``set_epoch``."""
        self._pass = epoch
        sampler = getattr(self.batch_sampler, 'sampler', None)
        if hasattr(sampler, 'set_epoch'):
            sampler.set_epoch(epoch // self.clips)

    def start_again(self, given: int) -> None:
        """Let the next iteration give what the last one had still to give.

        Args:
            given: Number of batches of that iteration that were used.
        """
        self._pass, skip, self._drawn = self._began
        self.skip = skip + given
        if self.endless:
            self.batch_sampler.sampler.indices = self.batch_sampler.sampler._indices_of_rank()

    def __iter__(self) -> Iterator[list[SampleKey]]:
        """Iterate over batches, leaving out the first ``skip`` of them once."""
        if self.clips > 1 and not self.endless:
            self.set_epoch(self._pass)  # MMEngine has told the sampler the pass, where the round is meant
        own = getattr(getattr(self.batch_sampler, 'sampler', None), 'epoch', None)
        epoch = own if isinstance(own, int) else self._pass
        first = 0 if self.endless or self.clips == 1 else self._pass % self.clips * len(self)
        self._began = (self._pass if self.clips > 1 else epoch, self.skip, self._drawn)
        self._pass = self._began[0] + 1
        skip, self.skip = self.skip + first, 0
        for number, keys in enumerate(self._batches(epoch)):
            if number >= skip:
                yield keys
            if first + len(self) == number + 1 and self.clips > 1 and not self.endless:
                return

    def _batches(self, epoch: int) -> Iterator[list[SampleKey]]:
        for batch in self.batch_sampler:
            epochs = [self._endless_pass(place) if self.endless else epoch for place in range(len(batch))]
            repeats = [getattr(index, 'repeat', 0) for index in batch]
            keys = [SampleKey(int(index), *rest) for index, *rest in zip(batch, epochs, repeats, strict=True)]
            self._drawn += len(keys)
            for part in range(self.clips):  # every so many, as labelled clips stand before others
                yield keys[part :: self.clips] or [keys[part % len(keys)]]

    def _endless_pass(self, place: int) -> int:
        """Pass over the data of the sample at ``place`` in the current batch of this rank."""
        sampler = self.batch_sampler.sampler
        return (sampler.rank + (self._drawn + place) * sampler.world_size) // sampler.size
