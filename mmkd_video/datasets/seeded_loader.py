"""Loaders whose samples are seeded by their keys."""

from typing import Any

from mmengine.dataset import InfiniteSampler
from torch.utils.data import DataLoader

from mmkd_video.datasets.keyed_batch_sampler import KeyedBatchSampler
from mmkd_video.datasets.one_decode import FlatCollate
from mmkd_video.datasets.seeded import SeededDataset
from mmkd_video.datasets.watched_loader import ReadingBoard, WatchedLoader

# the dataset and the batch sampler are others
_SETTINGS = (
    'num_workers',
    'collate_fn',
    'pin_memory',
    'timeout',
    'worker_init_fn',
    'multiprocessing_context',
    'generator',
    'prefetch_factor',
    'persistent_workers',
    'pin_memory_device',
    'in_order',
)


def settings_of(loader: DataLoader) -> dict[str, Any]:
    """Return what a loader of other samples takes over from a loader.

    Args:
        loader: The loader.
    """
    return {key: getattr(loader, key) for key in _SETTINGS if hasattr(loader, key)}


def seeded_loader(
    loader: DataLoader, dataset: SeededDataset, timeout: float | None = None, clips: int = 1
) -> DataLoader:
    """Return the same loader over seeded samples, watched where it has workers.

    Args:
        loader: The loader; none of its batches is used.
        dataset: Its samples, seeded.
        timeout: Seconds that a worker may read one video; None: workers are not watched.
        clips: Number of clips of each video in a batch.
    """
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    if isinstance(sampler, InfiniteSampler):
        sampler.indices = sampler._indices_of_rank()  # an iterator that prefetched has used up some
    settings = settings_of(loader)
    batches = KeyedBatchSampler(loader.batch_sampler, clips)
    if clips > 1:
        settings['collate_fn'] = FlatCollate(settings['collate_fn'])
    if not timeout or not loader.num_workers:
        return DataLoader(dataset, batch_sampler=batches, **settings)
    dataset.board = ReadingBoard(loader.num_workers, timeout)
    return WatchedLoader(dataset, batch_sampler=batches, board=dataset.board, **settings)
