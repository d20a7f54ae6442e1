import mmkd_video  # noqa: F401  isort: skip  mends the imports below
import pytest
from mmengine.dataset import DefaultSampler, InfiniteSampler

from mmkd_video.datasets import KeyedBatchSampler, MixedBatchSampler


class Clips:
    """Six labelled clips, twenty without a label; the annotations only."""

    def __init__(self, labelled=6, unlabelled=20):
        self.labels = [-1] * unlabelled + [0] * labelled

    def __len__(self):
        return len(self.labels)

    def get_data_info(self, index):
        return dict(label=self.labels[index])


def make(rank=0, world_size=1, batch_size=4, labelled=0.5, clips=None, **settings):
    sampler = DefaultSampler(clips or Clips(), seed=3, **settings)
    sampler.rank, sampler.world_size = rank, world_size
    return MixedBatchSampler(sampler, batch_size, labelled)


def epoch_of(batches, epoch):
    batches.sampler.set_epoch(epoch)
    return [[int(index) for index in batch] for batch in batches]


def test_every_batch_holds_the_same_share_and_an_epoch_is_as_long_as_without():
    batches = make(labelled=0.25)
    found = epoch_of(batches, 0)
    assert len(found) == len(batches) == 7
    assert all([index >= 20 for index in batch] == [True, False, False, False] for batch in found)


def test_a_list_is_passed_whole_before_a_clip_comes_again():
    found = [epoch_of(make(labelled=0.5), epoch) for epoch in range(3)]
    labelled = [index for batches in found for batch in batches for index in batch[:2]]
    for start in range(0, len(labelled), 6):
        assert len(set(labelled[start : start + 6])) == min(6, len(labelled) - start)
    unlabelled = [index for batches in found for batch in batches for index in batch[2:]]
    assert sorted(unlabelled[:20]) == list(range(20))
    assert labelled[:6] != labelled[6:12]


def test_processes_share_the_streams_out():
    alone = epoch_of(make(batch_size=8), 1)
    ranks = [epoch_of(make(rank, 2, batch_size=4), 1) for rank in (0, 1)]
    assert len(ranks[0]) == len(alone)
    for whole, first, second in zip(alone, *ranks, strict=True):
        assert sorted(whole) == sorted(first + second)


def test_a_batch_follows_from_its_number_so_that_a_resume_is_exact():
    keyed = KeyedBatchSampler(make())
    keyed.set_epoch(2)
    whole = list(keyed)
    resumed = KeyedBatchSampler(make())
    resumed.set_epoch(2)
    resumed.skip = 3
    assert list(resumed) == whole[3:]


def test_a_clip_that_comes_twice_in_an_epoch_is_told_apart():
    keyed = KeyedBatchSampler(make(labelled=0.75))
    keyed.set_epoch(1)
    keys = [key for batch in keyed for key in batch]
    assert len(set(keys)) == len(keys) > len({key.index for key in keys})
    assert all(type(key.index) is int for key in keys)


@pytest.mark.parametrize('clips', [Clips(unlabelled=0, labelled=8), Clips(unlabelled=8, labelled=0)])
def test_one_kind_alone_makes_ordinary_batches(clips):
    found = epoch_of(make(clips=clips), 0)
    assert [len(batch) for batch in found] == [4, 4]
    assert sorted(sum(found, [])) == list(range(8))


def test_one_kind_alone_leaves_the_last_batch_short_as_without_this_sampler():
    found = epoch_of(make(batch_size=8, clips=Clips(unlabelled=0, labelled=10)), 0)
    assert [len(batch) for batch in found] == [8, 2]
    assert sorted(sum(found, [])) == list(range(10))
    keyed = list(KeyedBatchSampler(make(batch_size=8, clips=Clips(unlabelled=0, labelled=10))))
    assert len({key for batch in keyed for key in batch}) == 10


@pytest.mark.parametrize(
    ('sampler', 'batch_size', 'labelled', 'message'),
    [
        (InfiniteSampler(Clips(), seed=0), 4, 0.5, 'expected DefaultSampler'),
        (DefaultSampler(Clips(), seed=0), 4, 1.0, 'labelled: got 1.0'),
        (DefaultSampler(Clips(), seed=0), 1, 0.5, 'batch_size: got 1'),
    ],
)
def test_mistakes_are_named(sampler, batch_size, labelled, message):
    with pytest.raises((ValueError, TypeError), match=message):
        MixedBatchSampler(sampler, batch_size, labelled)
