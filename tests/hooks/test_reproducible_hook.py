import mmkd_video  # noqa: F401  isort: skip  mends the imports below
import multiprocessing
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import Runner
from mmengine.runner.base_loop import BaseLoop
from mmengine.runner.loops import _InfiniteDataloaderIterator
from torch.utils.data import IterableDataset

from mmkd_video.datasets import KeyedBatchSampler, SeededDataset
from mmkd_video.hooks.reproducible_hook import ReproducibleHook, _check, _stop_workers


@DATASETS.register_module(force=True)
class NoisySamples:
    """Ten samples of noise; those in ``bad`` cannot be read."""

    def __init__(self, length=10, bad=(), ann_file='train.txt', repeat=1, label=0):
        self.length, self.bad, self.ann_file, self.label = length, bad, ann_file, label
        self.metainfo = {}

    def __len__(self):
        return self.length

    def get_data_info(self, index):
        return dict(filename=f'{index}.mp4')

    def __getitem__(self, index):
        if index in self.bad:
            raise OSError('damaged')
        noise = torch.cat([torch.rand(3), torch.from_numpy(np.random.rand(3)).float(), torch.tensor([float(index)])])
        return dict(inputs=noise, data_samples=ActionDataSample().set_gt_label(self.label))


@MODELS.register_module(force=True)
class NoisyModel(BaseModel):
    """Remembers its inputs; draws from both generators in its forward."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(7, 1)
        self.cls_head = torch.nn.Module()
        self.cls_head.num_classes = 5
        self.seen, self.drawn = [], []

    def forward(self, inputs, data_samples, mode):
        inputs = torch.stack(inputs)
        self.seen.append(inputs)
        noise = torch.rand(1) + float(np.random.rand())
        self.drawn.append(float(noise))
        return dict(loss=(self.layer(inputs) * noise).mean())


def run(folder, by='epoch', workers=0, sampler='DefaultSampler', resume=False, stop=4, hooks=None, **dataset):
    """Train for ``stop`` epochs or iterations; return the model and its runner."""
    runner = Runner(
        model=dict(type='NoisyModel'),
        work_dir=str(folder),
        train_dataloader=dict(
            dataset=dict(type='NoisySamples', **dataset),
            sampler=dict(type=sampler, shuffle=True),
            batch_size=4,
            num_workers=workers,
            persistent_workers=workers > 0,
        ),
        train_cfg=dict(by_epoch=by == 'epoch', **{f'max_{by}s': stop}),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(
            logger=None, timer=None, checkpoint=dict(type='CheckpointHook', interval=1, by_epoch=by == 'epoch')
        ),
        custom_hooks=[dict(type='ReproducibleHook', **(hooks or {}))],
        randomness=dict(seed=3),
        resume=resume,
        default_scope='mmaction',
        log_level='WARNING',
        experiment_name=f'{folder.name}{by}{workers}{sampler}{resume}{stop}',
    )
    runner.train()
    loop = runner.train_loop
    running = loop.dataloader_iterator._iterator if by == 'iter' else loop.dataloader._iterator
    if workers:  # forked later, other tests' workers would keep these alive
        running._shutdown_workers()
    return runner.model, runner


def seen(*args, **kwargs):
    return torch.stack([batch for batch in run(*args, **kwargs)[0].seen if len(batch) == 4])


@pytest.mark.parametrize(('by', 'sampler'), [('epoch', 'DefaultSampler'), ('iter', 'InfiniteSampler')])
def test_workers_do_not_matter(tmp_path, by, sampler):
    alone, _ = run(tmp_path / 'alone', by, 0, sampler)
    shared, runner = run(tmp_path / 'shared', by, 2, sampler)
    assert all(torch.equal(a, b) for a, b in zip(alone.seen, shared.seen, strict=True))
    assert torch.equal(alone.layer.weight, shared.layer.weight)
    assert runner.train_dataloader.num_workers == 2 and runner.train_dataloader.persistent_workers


@pytest.mark.parametrize('sampler', ['DefaultSampler', 'InfiniteSampler'])
def test_passes_are_augmented_and_ordered_anew(tmp_path, sampler):
    batches = run(tmp_path, 'iter', 0, sampler, stop=9)[0].seen
    samples = torch.cat(batches)
    first, second = samples[:10], samples[10:20]
    assert sorted(first[:, 6].tolist()) == sorted(second[:, 6].tolist()) == list(range(10))
    assert not torch.equal(first[:, 6], second[:, 6])
    first, second = (part[part[:, 6].argsort()] for part in (first, second))
    assert (first[:, :6] != second[:, :6]).all()


@pytest.mark.parametrize(
    ('by', 'sampler', 'half', 'stop'),
    [
        ('epoch', 'DefaultSampler', 1, 3),
        ('iter', 'InfiniteSampler', 4, 7),
        ('iter', 'DefaultSampler', 4, 7),
    ],
)
def test_a_resumed_run_ends_where_the_whole_one_does(tmp_path, by, sampler, half, stop):
    whole, _ = run(tmp_path / 'whole', by, 0, sampler, stop=stop)
    run(tmp_path / 'halves', by, 0, sampler, stop=half)
    resumed, _ = run(tmp_path / 'halves', by, 0, sampler, resume=True, stop=stop)
    assert 0 < len(resumed.seen) < len(whole.seen)
    pairs = zip(whole.seen[-len(resumed.seen) :], resumed.seen, strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert torch.equal(whole.layer.weight, resumed.layer.weight)


def test_skipped_batches_are_not_loaded(tmp_path, monkeypatch):
    run(tmp_path, 'iter', 0, 'InfiniteSampler', stop=4)
    loaded = []
    monkeypatch.setattr(SeededDataset, '__getitem__', lambda self, key: loaded.append(key) or self.dataset[key.index])
    run(tmp_path, 'iter', 0, 'InfiniteSampler', resume=True, stop=6)
    assert len(loaded) == 8


def test_no_workers_are_left_behind(tmp_path):
    before = set(multiprocessing.active_children())
    run(tmp_path, 'iter', 2, 'InfiniteSampler', stop=2)
    assert not set(multiprocessing.active_children()) - before  # the loop had started some for its first loader


def test_workers_of_a_loader_still_held_are_stopped_too():
    before = set(multiprocessing.active_children())
    loader = torch.utils.data.DataLoader(range(8), num_workers=1, persistent_workers=True)
    iterator = _InfiniteDataloaderIterator(loader)
    assert set(multiprocessing.active_children()) - before
    _stop_workers(loader, iterator)
    assert not set(multiprocessing.active_children()) - before and loader._iterator is None


def test_draws_of_a_step_follow_from_the_iteration(tmp_path):
    drawn = []
    for attempt in range(2):
        torch.manual_seed(attempt)
        drawn.append(run(tmp_path / str(attempt))[0].drawn)
    assert drawn[0] == drawn[1] and len(set(drawn[0])) == len(drawn[0]) == 12


@pytest.mark.parametrize('changed', ['rank', 'iter', 'seed'])
def test_seed_rank_and_iteration_each_change_the_draws(monkeypatch, changed):
    draws = []
    for value in (0, 1, 1):
        state = dict(dict(rank=0, iter=0, seed=0), **{changed: value})
        monkeypatch.setattr('mmkd_video.hooks.reproducible_hook.get_rank', lambda rank=state['rank']: rank)
        ReproducibleHook().before_train_iter(SimpleNamespace(iter=state['iter'], seed=state['seed']), 0, {})
        draws.append((random.random(), np.random.rand(), torch.rand(1).item()))
    assert draws[1] == draws[2] and not set(draws[0]) & set(draws[1])


def test_the_loader_keeps_its_settings_and_its_dataset_s_attributes(tmp_path):
    loader = run(tmp_path)[1].train_dataloader
    assert isinstance(loader.batch_sampler, KeyedBatchSampler) and loader.batch_sampler.batch_size == 4
    assert loader.dataset.ann_file == 'train.txt' and loader.batch_sampler.sampler.epoch == 3
    assert loader.collate_fn.func.__name__ == 'pseudo_collate' and loader.worker_init_fn.keywords['seed'] == 3


def test_training_goes_on_without_bad_videos(tmp_path):
    model, runner = run(tmp_path, bad=(2, 5))
    hook = next(hook for hook in runner.hooks if isinstance(hook, ReproducibleHook))
    assert hook.bad_videos == {'2.mp4': 'OSError: damaged', '5.mp4': 'OSError: damaged'}
    assert len(model.seen) == 12 and not {2.0, 5.0} & {index for batch in model.seen for index in batch[:, 6].tolist()}


def test_bad_videos_are_warned_of_once():
    warnings = []
    runner = SimpleNamespace(iter=0, seed=0, logger=SimpleNamespace(warning=warnings.append), model=torch.nn.Module())
    batch = dict(data_samples=[ActionDataSample(metainfo=dict(replaced_videos={'2.mp4': 'OSError: damaged'}))])
    hook = ReproducibleHook()
    for _ in range(3):
        hook.before_train_iter(runner, 0, batch)
    assert len(warnings) == 1 and '2.mp4 cannot be read (OSError: damaged)' in warnings[0]


@pytest.mark.parametrize('limit', [0, 1, 3])
def test_too_many_bad_videos_stop_training_with_their_names(tmp_path, limit):
    with pytest.raises(RuntimeError, match=rf'(?s)max_bad_videos={limit}.*\d\.mp4: OSError: damaged'):
        run(tmp_path, bad=(1, 2, 5, 7), hooks=dict(max_bad_videos=limit))


@pytest.mark.parametrize('hooks', [{}, dict(max_bad_videos=None), dict(max_bad_videos=100)])
def test_a_considerable_share_of_bad_videos_stops_training(tmp_path, hooks):
    wrong = tuple(range(0, 20, 3))  # 7 of 20 paths, fewer than max_bad_videos
    with pytest.raises(RuntimeError, match=r'(?s)5 videos cannot be read, of 20 of this process, max_bad_share=0\.25'):
        run(tmp_path, bad=wrong, length=20, hooks=hooks)


def test_a_share_of_bad_videos_may_be_allowed(tmp_path):
    hook = run(tmp_path, bad=(1, 2, 5, 7), hooks=dict(max_bad_share=0.5, max_bad_videos=None))[1].hooks
    assert len(next(each for each in hook if isinstance(each, ReproducibleHook)).bad_videos) == 4


@pytest.mark.parametrize(('ranks', 'repeat', 'stops'), [(1, 1, False), (2, 1, True), (2, 2, True), (1, 2, False)])
def test_the_share_is_that_of_the_videos_of_one_process(ranks, repeat, stops):
    dataset = NoisySamples(length=20 * repeat)
    if repeat > 1:
        dataset._ori_len = 20
    sampler = SimpleNamespace(sampler=SimpleNamespace(world_size=ranks))
    loader = SimpleNamespace(dataset=SeededDataset(dataset, 0), batch_sampler=sampler)
    said = SimpleNamespace(warning=lambda line: None)
    runner = SimpleNamespace(train_loop=SimpleNamespace(dataloader=loader), logger=said)
    hook = ReproducibleHook()
    samples = [ActionDataSample(metainfo=dict(replaced_videos={f'{each}.mp4': 'x' for each in range(3)}))]
    if stops:
        with pytest.raises(RuntimeError, match='3 videos cannot be read, of 10 of this process'):
            hook._count(runner, samples)
    else:
        hook._count(runner, samples)


@pytest.mark.parametrize(('label', 'got'), [(5, 'label 5'), (torch.ones(6) / 6, 'a label of 6 classes')])
def test_a_label_without_a_class_ends_training_with_its_annotation_file(tmp_path, label, got):
    with pytest.raises(ValueError, match=rf'train\.txt: got {got}, expected 0 to 4, as cls_head.num_classes is 5'):
        run(tmp_path, label=label)


@pytest.mark.parametrize('label', [4, torch.eye(5)[0]])
def test_a_label_with_a_class_or_soft_is_trained_on(tmp_path, label):
    assert run(tmp_path, label=label, stop=1)[0].seen


def test_a_label_that_is_left_out_ends_the_training_of_a_recognizer_alone(tmp_path):
    with pytest.raises(ValueError, match=r'train\.txt: got label -1, which means none; without a teacher'):
        run(tmp_path, label=-1)


def test_a_label_that_is_left_out_is_trained_on_with_a_teacher(tmp_path, monkeypatch):
    monkeypatch.setattr(NoisyModel, 'teachers', {}, raising=False)
    assert run(tmp_path, label=-1, stop=1)[0].seen


def test_an_empty_dataset_names_its_annotation_file(tmp_path):
    with pytest.raises(ValueError, match=r'no samples in train\.txt'):
        run(tmp_path, length=0)


@pytest.mark.parametrize('drop_last', [False, True])
@pytest.mark.parametrize(
    ('ranks', 'size', 'most'), [(1, 11, 10), (2, 6, 5), (3, 5, 4), (1, 10, None), (2, 5, None), (3, 4, None)]
)
def test_a_batch_larger_than_the_data_is_refused(ranks, size, most, drop_last):
    dataset = NoisySamples()
    sampler = DefaultSampler(dataset, seed=0)
    sampler.world_size, sampler.num_samples = ranks, -(-len(dataset) // ranks)
    loader = torch.utils.data.DataLoader(dataset, size, sampler=sampler, drop_last=drop_last)
    if most is None:
        _check(loader)
        return
    with pytest.raises(ValueError) as refused:
        _check(loader)
    said = f'train_dataloader.batch_size: got {size}; expected at most {most}, the '
    assert str(refused.value).startswith(said) and 'train.txt' in str(refused.value)
    assert 'set train_dataloader.batch_size' in str(refused.value) and '\n' not in str(refused.value)


def test_a_sampler_that_goes_round_the_data_fills_any_batch():
    dataset = NoisySamples()
    _check(torch.utils.data.DataLoader(dataset, 11, sampler=InfiniteSampler(dataset, seed=0)))


def test_datasets_without_indices_are_refused():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(())

    with pytest.raises(ValueError, match='Stream.*expected a dataset with indices'):
        _check(torch.utils.data.DataLoader(Stream()))


@pytest.mark.parametrize('name', ['_val_loop', '_test_loop'])
def test_validation_and_test_name_the_video_that_they_cannot_read(name):
    class Loop(BaseLoop):
        def run(self):
            return self.dataloader.dataset.pipeline(dict(filename='a.mp4'))

    def damaged(info):
        raise OSError('damaged')

    loop = Loop(None, torch.utils.data.DataLoader(SimpleNamespace(pipeline=damaged)))
    ReproducibleHook().before_run(SimpleNamespace(_train_loop=None, model=None, **{name: loop}))
    with pytest.raises(RuntimeError, match=r'a\.mp4 cannot be read \(OSError: damaged\)'):
        loop.run()


def test_validation_alone_builds_no_training_loop(tmp_path):
    class Idle:
        _train_loop = dict(by_epoch=True)

    ReproducibleHook().before_run(Idle())
