"""Samples whose augmentations are met again: what is drawn for one that repeats, or that cannot be read."""

import pytest
import torch
from mmaction.structures import ActionDataSample

from mmkd_video.core.replay import Replay
from mmkd_video.datasets import SampleKey, SeededDataset

VIEWS, SEED = 2, 5


class NumberedNoise:
    """Noise that tells the sample; those in ``bad`` cannot be read."""

    def __init__(self, bad=()):
        self.bad = bad

    def __len__(self):
        return 4

    def __getitem__(self, index):
        if index in self.bad:
            raise OSError('damaged')
        return dict(inputs=torch.rand(2) + index, data_samples=ActionDataSample())


def test_a_video_that_cannot_be_read_is_replaced_by_what_the_cache_knows():
    replay = Replay(SEED, VIEWS, 4, '', '', '')
    whole = SeededDataset(NumberedNoise(), 0, replay=replay)
    found = SeededDataset(NumberedNoise(bad=(2,)), 9, replay=replay)[SampleKey(2, 3)]
    sample = found['data_samples']
    assert sample.sample_view == 1 and sample.sample_idx != 2 and sample.replaced_videos
    assert torch.equal(found['inputs'], whole[SampleKey(sample.sample_idx, 1)]['inputs'])


def test_a_repeated_sample_has_the_next_view():
    replay = Replay(SEED, 3, 4, '', '', '')
    assert [replay.draws(1, epoch, 0) for epoch in range(4)] == [[(1, 0)], [(1, 1)], [(1, 2)], [(1, 0)]]
    assert replay.draws(5, 1, 0) == [(1, 2)] == replay.draws(1, 1, 1)


def test_several_clips_of_one_sample_are_refused():
    class Several(NumberedNoise):
        def __getitem__(self, index):
            return [super().__getitem__(index)] * 2

    with pytest.raises(ValueError, match='got 2 clips of one sample, as RepeatAugDataset makes them'):
        SeededDataset(Several(), 0, replay=Replay(SEED, 1, 4, '', '', ''))[SampleKey(0)]
