"""Resuming an endless stream of batches where another run stopped, without loading what it has seen."""

from typing import Any

from torch.utils.data import DataLoader


class ResumingIterator:
    """Iterate a loader over and over; its first ``done`` batches are skipped without being loaded.

    It takes the place of MMEngine's ``_InfiniteDataloaderIterator``. After a resume ``IterBasedTrainLoop`` asks for as
    many batches as were trained on and throws them away; these are answered with None. Nothing is loaded before the
    first batch that counts is asked for.

    Args:
        loader: A loader whose ``batch_sampler`` is a ``KeyedBatchSampler``.
        done: Batches trained on before.
    """

    def __init__(self, loader: DataLoader, done: int = 0) -> None:
        self._dataloader = loader
        self._done = done
        self._owed = done
        self._epoch = 0
        self._iterator = None

    def __iter__(self) -> 'ResumingIterator':
        return self

    def __next__(self) -> Any:
        if self._owed:
            self._owed -= 1
            return None
        if self._iterator is None:
            self._start()
        try:
            return next(self._iterator)
        except StopIteration:
            self._epoch += 1
            self._dataloader.batch_sampler.set_epoch(self._epoch)
            self._iterator = iter(self._dataloader)
            return next(self._iterator)

    def _start(self) -> None:
        sampler = self._dataloader.batch_sampler
        passes, rest = (0, self._done) if sampler.endless else divmod(self._done, len(sampler))
        self._epoch, sampler.skip = passes, rest
        sampler.set_epoch(passes)
        self._iterator = iter(self._dataloader)
