"""Several clips of a video in a batch, made from one decoding, are those that the cache answers about."""

import clips
import pytest
import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler, RepeatDataset
from mmengine.registry import DefaultScope
from torch.utils.data import BatchSampler

from mmkd_video.core.registry import DATASETS
from mmkd_video.core.replay import Replay
from mmkd_video.datasets import FlatCollate, KeyedBatchSampler, SampleKey, SeededDataset, build_replayed
from mmkd_video.hooks.reproducible_hook import _expect_whole_videos

VIEWS, SEED = 4, 5
JITTER = dict(type='ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1)


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('videos'), count=3)


def steps():
    found = clips.pipeline(layout='NCTHW')
    return [*found[:5], JITTER, *found[5:]]


def with_frames():
    found = steps()
    sample = dict(type='SampleFrames', clip_len=4, num_clips=1)
    return [found[0], sample, *found[2:-1], dict(type='PackActionInputs', meta_keys=('img_shape', 'frame_inds'))]


def samples(videos, number, pipeline=None, repeated=1, same=1):
    loader = clips.runner_config(videos, videos, {}, pipeline or steps())['train_dataloader']
    replay = Replay(SEED, VIEWS, 3, '', '', '', number, same)
    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = build_replayed(loader, SEED)
    return SeededDataset(RepeatDataset(dataset, repeated) if repeated > 1 else dataset, 0, replay=replay)


def test_clips_from_one_decoding_are_those_made_alone_bit_for_bit(videos, monkeypatch):
    from mmaction.datasets.transforms import DecordDecode

    alone, together, decoded = samples(videos, 1), samples(videos, 3), []
    load = DecordDecode._decord_load_frames
    monkeypatch.setattr(
        DecordDecode, '_decord_load_frames', lambda self, *given: decoded.append(given) or load(self, *given)
    )
    found = together[SampleKey(1, 1)]
    assert len(decoded) == 1
    views = [sample['data_samples'].sample_view for sample in found]
    assert views == [3, 0, 1]
    for sample, view in zip(found, views, strict=True):
        expected = alone[SampleKey(1, view)]
        assert torch.equal(sample['inputs'], expected['inputs'])
        assert sample['data_samples'].img_shape == expected['data_samples'].img_shape
        assert sample['data_samples'].sample_idx == 1
        assert torch.equal(sample['data_samples'].gt_label, expected['data_samples'].gt_label)
    assert not torch.equal(found[0]['inputs'], found[1]['inputs'])


def test_frames_that_several_clips_share_are_not_written_into_twice(videos):
    flips = clips.pipeline(layout='NCTHW')
    flips = [*flips[:3], dict(type='Flip', flip_ratio=1.0), *flips[3:]]  # in place
    alone, together = samples(videos, 1, flips), samples(videos, 4, flips)
    for view, sample in enumerate(together[SampleKey(2)]):
        assert torch.equal(sample['inputs'], alone[SampleKey(2, view)]['inputs'])


def test_augmentations_of_the_same_frames_differ_in_all_else(videos):
    alone, together = (samples(videos, number, with_frames(), same=2) for number in (1, 4))
    found = together[SampleKey(2)]
    frames = [sample['data_samples'].frame_inds.tolist() for sample in found]
    assert frames[0] == frames[1] != frames[2] == frames[3]
    assert not torch.equal(found[0]['inputs'], found[1]['inputs'])
    for view, sample in enumerate(found):
        assert torch.equal(sample['inputs'], alone[SampleKey(2, view)]['inputs'])


def test_views_of_teachers_show_the_same_frames(videos):
    views = dict(type='DistillViews', student=with_frames(), teacher=with_frames())
    plain, cut = samples(videos, 1, with_frames(), same=2), samples(videos, 1, [views], same=2)
    for view in range(VIEWS):
        found = cut[SampleKey(1, view)]
        assert torch.equal(found['inputs'], plain[SampleKey(1, view)]['inputs'])
        assert torch.equal(found['views']['teacher'], found['inputs'])


def test_a_repeated_data_set_shares_too(videos):
    alone, together = samples(videos, 1), samples(videos, 2, repeated=2)
    found = together[SampleKey(4)]  # the second time that sample 1 comes: its next two views
    assert [sample['data_samples'].sample_view for sample in found] == [2, 3]
    assert torch.equal(found[1]['inputs'], alone[SampleKey(1, 3)]['inputs'])


def test_a_pipeline_without_a_decoder_is_told(videos):
    views = dict(type='DistillViews', student=steps(), teacher=steps())
    with pytest.raises(ValueError, match="got .'DistillViews'.; expected a decoder .* with DistillViews set it to 1"):
        samples(videos, 2, [views])


def batches(count, size, number, epochs, **more):
    sampler = KeyedBatchSampler(BatchSampler(DefaultSampler(range(count), seed=1), size, False), number)
    found = []
    for epoch in epochs:
        sampler.set_epoch(epoch)
        sampler.batch_sampler.sampler.set_epoch(epoch)  # as MMEngine's DistSamplerSeedHook does afterwards
        found.append(list(sampler))
    return sampler, found


def test_as_many_passes_as_clips_take_each_video_once():
    sampler, found = batches(10, 4, 2, range(4))
    assert [len(each) for each in found] == [3] * 4 == [len(sampler)] * 4
    for first in (0, 2):
        keys = [key for epoch in found[first : first + 2] for batch in epoch for key in batch]
        assert sorted(key.index for key in keys) == list(range(10))
        assert {key.epoch for key in keys} == {first // 2}
    assert found[0] != found[2]
    assert all(len(batch) == 2 for epoch in found[:1] for batch in epoch)


def test_a_last_batch_of_fewer_videos_than_clips_is_no_empty_one():
    _, found = batches(9, 4, 4, range(4))
    assert all(batch for epoch in found for batch in epoch)
    assert {key.index for epoch in found for batch in epoch for key in batch} == set(range(9))


def test_an_interrupted_pass_goes_on_with_the_same_keys():
    _, (whole,) = batches(10, 4, 2, [3])
    sampler, _ = batches(10, 4, 2, [])
    sampler.set_epoch(3)
    sampler.skip = 1
    assert list(sampler) == whole[1:]
    sampler.set_epoch(3)
    iterator = iter(sampler)
    assert next(iterator) == whole[0]
    sampler.start_again(1)
    assert list(sampler) == whole[1:]


def test_endless_samplers_go_on_with_the_same_keys():
    def endless(skip):
        sampler = KeyedBatchSampler(BatchSampler(InfiniteSampler(range(6), seed=2), 4, False), 2)
        sampler.skip = skip
        iterator = iter(sampler)
        return [next(iterator) for _ in range(7 - skip)]

    whole = endless(0)
    assert whole[3:] == endless(3)
    assert {key.index for batch in whole[:4] for key in batch} == set(range(6))


def test_the_clips_of_a_video_follow_each_other_in_a_batch():
    assert FlatCollate(list)([[1, 2], [3, 4]]) == [1, 2, 3, 4]


def test_a_batch_that_does_not_divide_is_told():
    _expect_whole_videos(BatchSampler(range(9), 4, False), 2)
    with pytest.raises(ValueError, match='batch_size: got 4 clips; expected a multiple of clips_per_video=3'):
        _expect_whole_videos(BatchSampler(range(9), 4, False), 3)


@DATASETS.register_module(force=True)
class NumberedNoise:
    """Noise that tells the sample; those in ``bad`` cannot be read."""

    def __init__(self, bad=()):
        self.bad = bad

    def __len__(self):
        return 4

    def __getitem__(self, index):
        from mmaction.structures import ActionDataSample

        if index in self.bad:
            raise OSError('damaged')
        return dict(inputs=torch.rand(2) + index, data_samples=ActionDataSample())


def test_a_video_that_cannot_be_read_is_replaced_by_what_the_cache_knows():
    replay = Replay(SEED, 2, 4, '', '', '')
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
