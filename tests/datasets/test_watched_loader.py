"""A video that does not come back is named and replaced, and the training sees the batches that it would have seen."""

import mmkd_video  # noqa: F401  isort: skip  mends the imports below
import time

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import DefaultSampler, InfiniteSampler, pseudo_collate
from torch.utils.data import BatchSampler, DataLoader

from mmkd_video.datasets import KeyedBatchSampler, SeededDataset
from mmkd_video.datasets.named_errors import PipelineWithNamedErrors
from mmkd_video.datasets.watched_loader import ReadingBoard, WatchedLoader

STUCK = 13


class Samples:
    """Twenty samples of noise; one spins."""

    def __init__(self, stuck=()):
        self.stuck = stuck

    def __len__(self):
        return 20

    def get_data_info(self, index):
        return dict(filename=f'{index}.mp4')

    def __getitem__(self, index):
        while index in self.stuck:
            time.sleep(0.01)
        return dict(inputs=torch.rand(2), data_samples=ActionDataSample(metainfo=dict(index=index)))


class Damaged(Samples):
    """The same, of which that one cannot be read."""

    def __getitem__(self, index):
        if index == STUCK:
            raise OSError('damaged')
        return super().__getitem__(index)


class TwoDamaged(Damaged):
    """The same, of which two cannot be read."""

    def __getitem__(self, index):
        if index == 4:
            raise OSError('damaged')
        return super().__getitem__(index)


def loader(dataset, workers=2, sampler=DefaultSampler, persistent=False, seconds=1.0):
    board = ReadingBoard(workers, seconds)
    batches = KeyedBatchSampler(BatchSampler(sampler(dataset, shuffle=True, seed=3), 4, False))
    seeded = SeededDataset(dataset, 0, board=board)
    settings = dict(num_workers=workers, collate_fn=pseudo_collate, persistent_workers=persistent)
    return WatchedLoader(seeded, batch_sampler=batches, board=board, **settings)


def seen(batches):
    found = []
    for batch in batches:
        found.append(
            [
                (each.sample_idx, tensor.tolist())
                for each, tensor in zip(batch['data_samples'], batch['inputs'], strict=True)
            ]
        )
    return found


def replaced(batches):
    return {name for batch in batches for sample in batch['data_samples'] for name in sample.get('replaced_videos', {})}


@pytest.mark.parametrize('persistent', [False, True])
def test_a_stuck_video_is_replaced_as_an_unreadable_one_is(persistent):
    watched = loader(Samples((STUCK,)), persistent=persistent)
    expected = DataLoader(SeededDataset(Damaged(), 0), batch_sampler=watched.batch_sampler, collate_fn=pseudo_collate)
    for epoch in range(2):
        watched.batch_sampler.set_epoch(epoch)
        batches = list(watched)
        assert replaced(batches) == {f'{STUCK}.mp4'}
        watched.batch_sampler.set_epoch(epoch)
        assert seen(batches) == seen(expected) and len(batches) == 5
    (reason,) = watched.dataset._stuck.values()
    assert reason == 'did not come back in 1 seconds'


def test_an_endless_stream_goes_on_after_a_stuck_video():
    watched = loader(Samples((STUCK,)), sampler=InfiniteSampler)
    stream = iter(watched)
    found = [next(stream) for _ in range(12)]
    del stream
    plain = loader(Damaged(), workers=0, sampler=InfiniteSampler)
    expected = iter(plain)
    assert seen(found) == seen(next(expected) for _ in range(12))
    assert replaced(found) == {f'{STUCK}.mp4'}


def test_each_of_several_stuck_videos_is_replaced():
    watched, plain = loader(Samples((STUCK, 4))), loader(TwoDamaged(), workers=0)
    batches = list(watched)
    assert replaced(batches) == {f'{STUCK}.mp4', '4.mp4'}
    assert seen(batches) == seen(plain)


def test_what_was_skipped_after_a_resume_stays_skipped():
    watched = loader(Samples((STUCK,)))
    plain = loader(Damaged(), workers=0)
    watched.batch_sampler.skip = 1
    assert seen(watched) == seen(plain)[1:]


def test_slow_videos_are_not_stuck():
    class Slow(Samples):
        def __getitem__(self, index):
            time.sleep(0.1)
            return super().__getitem__(index)

    assert not replaced(loader(Slow(), seconds=0.7))  # a batch takes longer than a video may


def test_in_validation_the_video_is_named():
    class Tested(Samples):
        def __init__(self, board):
            super().__init__((STUCK,))
            self.pipeline = PipelineWithNamedErrors(lambda info: Samples.__getitem__(self, info['index']), board)

        def __getitem__(self, index):
            return self.pipeline(dict(self.get_data_info(index), index=index))

    board = ReadingBoard(2, 0.5)
    watched = WatchedLoader(Tested(board), batch_size=4, num_workers=2, collate_fn=pseudo_collate, board=board)
    with pytest.raises(RuntimeError, match=r'13\.mp4 did not come back in 0\.5 seconds, and the videos of validation'):
        list(watched)


def test_a_long_name_fits_the_board():
    assert ReadingBoard(1, 0.0).stuck() is None
    board = ReadingBoard(1, 0.01)
    board._since[0] = time.monotonic() - 1
    board._names[0:3] = b'a\xc3\0'
    assert board.stuck() == (0, 'a\ufffd')
