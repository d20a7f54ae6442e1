"""Episodes: which classes and clips they hold, on any number of processes."""

import mmkd_video  # noqa: F401  isort: skip  mends the imports below
import pytest
from mmengine.dataset import DefaultSampler

from mmkd_video.datasets import EpisodeBatchSampler, KeyedBatchSampler


class Clips:
    """Annotations only: label of each clip."""

    def __init__(self, labels=tuple(range(8)) * 6, ann_file=''):
        self.labels, self.ann_file = labels, ann_file

    def __len__(self):
        return len(self.labels)

    def get_data_info(self, index):
        return dict(label=self.labels[index])


def make(rank=0, world_size=1, batch_size=1, clips=None, **settings):
    sampler = DefaultSampler(clips or Clips(), seed=3)
    sampler.rank, sampler.world_size = rank, world_size
    return EpisodeBatchSampler(sampler, batch_size, **{**dict(way=3, shot=2, queries=2, episodes=4), **settings})


def epoch_of(batches, epoch=0):
    batches.sampler.set_epoch(epoch)
    return [list(map(int, batch)) for batch in batches]


def test_an_episode_holds_the_support_then_the_queries_class_by_class_and_no_clip_twice():
    labels = Clips().labels
    for batch in epoch_of(make()):
        support, queries = [labels[i] for i in batch[:6]], [labels[i] for i in batch[6:]]
        assert support == queries and support[::2] == support[1::2]
        assert len(set(support)) == 3 and len(set(batch)) == 12


def test_an_episode_follows_from_seed_epoch_and_number():
    assert epoch_of(make(), 1) == epoch_of(make(), 1) != epoch_of(make(), 0)
    assert epoch_of(make(seed=9)) != epoch_of(make()) == epoch_of(make(seed=3))
    assert epoch_of(make())[0] != epoch_of(make())[1]


def test_classes_come_in_any_order():
    firsts = {epoch_of(make(episodes=30))[n][0] % 8 for n in range(30)}
    assert len(firsts) > 4


def test_processes_share_the_episodes_of_an_epoch_out():
    alone = epoch_of(make(batch_size=2, episodes=8), 1)
    ranks = [epoch_of(make(rank, 2, episodes=8), 1) for rank in (0, 1)]
    assert [len(alone), len(ranks[0]), len(ranks[1])] == [4, 4, 4]
    for whole, first, second in zip(alone, *ranks, strict=True):
        assert whole == first + second


def test_all_processes_have_as_many_batches():
    assert [len(make(rank, 3, episodes=7)) for rank in range(3)] == [3, 3, 3]


def test_a_clip_is_cropped_anew_in_every_episode_and_a_resume_is_exact():
    keyed = KeyedBatchSampler(make())
    keyed.set_epoch(2)
    whole = list(keyed)
    assert [key.repeat for key in whole[3]] == [3] * 12 and whole[0][0].epoch == 2
    keyed.set_epoch(2)
    keyed.skip = 2
    assert list(keyed) == whole[2:]


def test_episodes_come_from_one_part_of_the_classes(tmp_path):
    (tmp_path / 'classes.txt').write_text('\n'.join('abcdefgh') + '\n')
    split = dict(base=['a', 'c', 4], validation=['b', 'd', 'h'], novel=[5, 6, 'e'])
    with pytest.raises(ValueError, match=r'split.novel: got class 4, which split.base has too'):
        make(clips=Clips(ann_file=tmp_path / 'list.txt'), split=split)
    split['novel'] = [5, 6]
    found = epoch_of(make(clips=Clips(ann_file=tmp_path / 'list.txt'), split=split, part='validation', episodes=9))
    assert {index % 8 for batch in found for index in batch} == {1, 3, 7}


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(way=9), 'way: got 9; expected at most 8, the classes of the annotation file'),
        (dict(shot=5), 'class 0 of the annotation file has 6 clips; expected at least 7, shot=5 and queries=2'),
        (dict(split=dict(base=[0, 1])), 'way: got 3; expected at most 2, the classes of split.base'),
        (dict(split=dict(base=[0, 1, 99])), r'split.base: got classes \[99\] without a clip'),
        (dict(split=dict(base=[0, 1, 'x'])), 'split: got names of classes, and no file classes.txt'),
        (dict(split=dict(train=[0])), "split: got the unknown key 'train'"),
        (dict(split=dict(base=[0, 1, 2]), part='novel'), "part: got 'novel'; expected one of the parts of split"),
        (dict(part='new'), "part: got 'new'; expected 'base', 'validation' or 'novel'"),
        (dict(shot=0), 'shot: got 0; expected a whole number of at least 1'),
    ],
)
def test_what_cannot_be_drawn_is_told_at_once(settings, message):
    with pytest.raises((ValueError, KeyError), match=message) as told:
        make(**settings)
    assert '\n' not in str(told.value)


def test_clips_without_a_label_are_in_no_episode_and_labels_of_several_classes_are_refused():
    found = epoch_of(make(clips=Clips((0, 1, 2) * 4 + (-1,) * 20), episodes=20))
    assert max(index for batch in found for index in batch) < 12
    with pytest.raises(ValueError, match=r'got a clip with the label \[0, 1\]; expected one class a clip'):
        make(clips=Clips([[0, 1]] * 12))
