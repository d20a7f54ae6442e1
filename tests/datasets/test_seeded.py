import mmkd_video  # noqa: F401  isort: skip  mends the imports below
import pickle
import random

import cv2
import numpy as np
import pytest
import torch
from mmaction.datasets import VideoDataset
from mmaction.structures import ActionDataSample
from mmengine.dataset import ConcatDataset, DefaultSampler, InfiniteSampler, RepeatDataset, pseudo_collate
from mmengine.registry import init_default_scope
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler

from mmkd_video.core.restoring import get_random_state
from mmkd_video.datasets import KeyedBatchSampler, SampleKey, SeededDataset

PIPELINE = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=2, frame_interval=1),
    dict(type='DecordDecode'),
    dict(type='RandomResizedCrop'),
    dict(type='Resize', scale=(16, 16), keep_ratio=False),
    dict(type='Flip'),
    dict(type='ColorJitter', hue=0.0),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]


def write_videos(folder, count, bad=()):
    """Noisy clips and their annotation file; those in ``bad`` are not videos."""
    rng = np.random.default_rng(0)
    for number in range(count):
        path = folder / f'{number}.mp4'
        if number in bad:
            path.write_bytes(b'no video')
            continue
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 12, (32, 32))
        for _ in range(12):
            writer.write(cv2.resize(rng.integers(0, 256, (4, 4, 3), np.uint8), (32, 32)))
        writer.release()
    annotations = folder / 'list.txt'
    annotations.write_text(''.join(f'{number}.mp4 {number % 3}\n' for number in range(count)))
    return dict(ann_file=str(annotations), data_prefix=dict(video=str(folder)))


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    init_default_scope('mmaction')
    np.random.seed(0)  # ColorJitter draws when it is built
    return VideoDataset(pipeline=PIPELINE, **write_videos(tmp_path_factory.mktemp('videos'), 6))


def loader(dataset, sampler, workers=0, seed=1, batch_size=2):
    return DataLoader(
        SeededDataset(dataset, seed),
        batch_sampler=KeyedBatchSampler(BatchSampler(sampler, batch_size, False)),
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=pseudo_collate,
    )


def epochs(loader, count):
    found = []
    for epoch in range(count):
        loader.batch_sampler.sampler.set_epoch(epoch)
        found.append([clip for batch in loader for clip in batch['inputs']])
    return found


def same(first, second):
    return len(first) == len(second) and all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_workers_do_not_matter_and_epochs_reach_those_that_live_on(dataset):
    alone = epochs(loader(dataset, DefaultSampler(dataset, seed=0)), 2)
    shared = epochs(loader(dataset, DefaultSampler(dataset, seed=0), workers=2), 2)
    assert same(alone[0], shared[0]) and same(alone[1], shared[1])


def test_epochs_seeds_and_samples_differ(dataset):
    seeded = SeededDataset(dataset, 1)
    first = seeded[SampleKey(0, 0)]['inputs']
    assert torch.equal(first, seeded[0]['inputs'])
    assert torch.equal(first, SeededDataset(dataset, 1)[SampleKey(0, 0)]['inputs'])
    assert not torch.equal(first, seeded[SampleKey(0, 1)]['inputs'])
    assert not torch.equal(first, SeededDataset(dataset, 2)[SampleKey(0, 0)]['inputs'])
    # Sums of seed and epoch would collide.
    assert not torch.equal(seeded[SampleKey(0, 1)]['inputs'], SeededDataset(dataset, 2)[SampleKey(0, 0)]['inputs'])


def test_what_was_loaded_before_does_not_matter(dataset):
    seeded = SeededDataset(dataset, 1)
    first = seeded[SampleKey(3, 2)]['inputs']
    seeded[SampleKey(1, 0)]
    random.seed(5)
    np.random.seed(5)
    assert torch.equal(first, seeded[SampleKey(3, 2)]['inputs'])


def test_repeats_of_a_sample_are_augmented_differently(dataset):
    seeded = SeededDataset(RepeatDataset(dataset, 2), 1)
    assert len(seeded) == 12
    assert not torch.equal(seeded[SampleKey(1, 0)]['inputs'], seeded[SampleKey(7, 0)]['inputs'])


def test_a_sample_brings_its_index_among_the_distinct_ones(dataset):
    def indices(wrapped, keys):
        samples = [SeededDataset(wrapped, 1)[key] for key in keys]
        return [sample['data_samples'].metainfo['sample_idx'] for sample in samples]

    assert indices(dataset, [0, 5, SampleKey(3, 2)]) == [0, 5, 3]
    assert indices(RepeatDataset(dataset, 2), [1, 7, SampleKey(11, 1)]) == [1, 1, 5]
    assert indices(ConcatDataset([dataset, dataset]), [1, 7]) == [1, 7]
    batch = next(iter(loader(dataset, SequentialSampler(dataset), batch_size=3)))
    assert [sample.metainfo['sample_idx'] for sample in batch['data_samples']] == [0, 1, 2]


def test_the_global_generators_are_left_alone(dataset):
    before = get_random_state()
    SeededDataset(dataset, 1)[0]
    after = get_random_state()
    assert before['python'] == after['python'] and torch.equal(before['torch'], after['torch'])
    assert np.array_equal(before['numpy'][1], after['numpy'][1]) and before['numpy'][2] == after['numpy'][2]


def test_attributes_are_those_of_the_dataset_and_it_pickles(dataset):
    seeded = pickle.loads(pickle.dumps(SeededDataset(dataset, 1)))
    assert seeded.metainfo == dataset.metainfo
    assert seeded.get_data_info(2)['label'] == 2
    assert not hasattr(seeded, 'nothing')


def passes(sampler, count, batch_size=2):
    keys = KeyedBatchSampler(BatchSampler(sampler, batch_size, False))
    found = []
    for batch in keys:
        found += batch
        if len(found) >= count:
            return found[:count]
    return found


def test_passes_of_an_infinite_sampler_are_epochs(dataset):
    keys = passes(InfiniteSampler(dataset, seed=0), 18, batch_size=4)
    assert [key.epoch for key in keys] == [0] * 6 + [1] * 6 + [2] * 6
    assert sorted(keys) == sorted({SampleKey(index, epoch) for index in range(6) for epoch in range(3)})


def test_passes_of_an_infinite_sampler_are_counted_across_ranks(dataset, monkeypatch):
    found = []
    for rank in range(2):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda rank=rank: (rank, 2))
        found += passes(InfiniteSampler(dataset, seed=0), 6)
    assert sorted(found) == sorted(SampleKey(index, epoch) for index in range(6) for epoch in range(2))


def test_default_sampler_brings_its_epoch(dataset):
    sampler = DefaultSampler(dataset, seed=0)
    keys = KeyedBatchSampler(BatchSampler(sampler, 2, False))
    keys.sampler.set_epoch(4)
    assert {key.epoch for batch in keys for key in batch} == {4}
    keys.set_epoch(7)
    assert sampler.epoch == 7 and {key.epoch for batch in keys for key in batch} == {7}


@pytest.mark.parametrize('kind', [SequentialSampler, RandomSampler])
def test_samplers_without_an_epoch_are_counted(dataset, kind):
    keys = KeyedBatchSampler(BatchSampler(kind(dataset), 2, False))
    assert [{key.epoch for batch in keys for key in batch} for _ in range(2)] == [{0}, {1}]
    keys.set_epoch(5)
    assert {key.epoch for batch in keys for key in batch} == {5}


@pytest.mark.parametrize('build', [InfiniteSampler, DefaultSampler])
def test_skipped_batches_leave_the_rest_as_they_are(dataset, build):
    whole = KeyedBatchSampler(BatchSampler(build(dataset, seed=0), 2, False))
    rest = KeyedBatchSampler(BatchSampler(build(dataset, seed=0), 2, False))
    rest.skip = 2
    whole, rest = iter(whole), iter(rest)
    for _ in range(2):
        next(whole)
    assert next(whole) == next(rest)


def test_an_unreadable_video_is_replaced_alike_every_time_and_noted(tmp_path):
    dataset = VideoDataset(pipeline=PIPELINE, **write_videos(tmp_path, 5, bad=(1, 3)))
    (tmp_path / '4.mp4').unlink()
    for wrapped in (dataset, ConcatDataset([dataset]), RepeatDataset(dataset, 2)):
        samples = [SeededDataset(wrapped, 1)[SampleKey(1, epoch)] for epoch in (0, 0, 1, 2)]
        assert torch.equal(samples[0]['inputs'], samples[1]['inputs'])
        for sample in samples:
            replaced = sample['data_samples'].metainfo['replaced_videos']
            assert str(tmp_path / '1.mp4') in replaced and sample['data_samples'].gt_label.item() in (0, 2)
    assert 'FileNotFoundError' in SeededDataset(dataset, 1)[4]['data_samples'].replaced_videos[str(tmp_path / '4.mp4')]
    assert 'replaced_videos' not in SeededDataset(dataset, 1)[0]['data_samples'].metainfo


class Listed:
    """Samples that tell their index; the first cannot be read."""

    def __len__(self):
        return 50

    def __getitem__(self, index):
        if index == 0:
            raise OSError('no such disk')
        return dict(inputs=index, data_samples=ActionDataSample())

    def __getitems__(self, indices):
        raise NotImplementedError


def test_replacements_differ_between_epochs():
    seeded = SeededDataset(Listed(), 1)
    drawn = [seeded[SampleKey(0, epoch)]['inputs'] for epoch in range(4)]
    assert len(set(drawn)) > 1
    assert seeded[0]['data_samples'].replaced_videos == {'sample 0': 'OSError: no such disk'}


def test_a_dataset_that_loads_whole_batches_is_still_seeded():
    batches = list(loader(Listed(), SequentialSampler(range(4))))
    assert [batch['inputs'][1] for batch in batches] == [1, 3]


def test_all_videos_unreadable_is_an_error_with_names(tmp_path):
    dataset = VideoDataset(pipeline=PIPELINE, **write_videos(tmp_path, 2, bad=(0, 1)))
    with pytest.raises(RuntimeError, match=r'(?s)3 videos in a row cannot be read.*0\.mp4: RuntimeError'):
        SeededDataset(dataset, 1, max_tries=3)[0]


class Raising:
    def __init__(self, error):
        self.error = error

    def __len__(self):
        return 4

    def __getitem__(self, index):
        raise self.error


@pytest.mark.parametrize('error', [ValueError('view too long'), KeyError('imgs'), ImportError('decord')])
def test_mistakes_are_not_taken_for_unreadable_videos(error):
    with pytest.raises(type(error)):
        SeededDataset(Raising(error), 1)[0]
