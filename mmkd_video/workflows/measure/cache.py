"""What an epoch costs with a teacher's cached answers, beside one with the teacher itself and one without a teacher."""

import copy
import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch.utils.data import DataLoader

import mmkd_video
from mmkd_video.benchmark import (
    LoadWatch,
    Report,
    Row,
    Timings,
    measure_interleaved,
    median_interval,
    paired_ratios,
)
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS, build_model
from mmkd_video.core.replay import Replay
from mmkd_video.core.restoring import seed_everything
from mmkd_video.datasets import FlatCollate, KeyedBatchSampler, SeededDataset
from mmkd_video.distillers import Distiller
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.pipelines import keys_to_dataset
from mmkd_video.recognizers.plain_student import is_distillation, named_teachers, plain_student, without_views
from mmkd_video.workflows.cache.caching import Cached, cache_teacher
from mmkd_video.workflows.measure.default_pair import default_config, ordinary_pipelines
from mmkd_video.workflows.measure.rounds import StepSettings, measured_facts
from mmkd_video.workflows.measure.stream import SIZE, make_video

ALONE, LIVE = 'student alone', 'the teacher itself'
TARGET = 0.9
VIDEOS, FRAMES = 16, 250  # of those that are made
VIEWS = 4
STEPS_OF_A_LONG_TRAINING = 10**6


def benchmark_cache(
    config: str | None = None,
    *,
    videos: int | None = None,
    views: int = VIEWS,
    batch_size: int | None = None,
    cfg_options: Mapping[str, Any] | None = None,
    settings: StepSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Measure a piece of an epoch, loading included: the student alone, with the teacher, with its cached answers.

    Clips are loaded in the process that trains, so that its CPU time is all that an epoch costs. A piece has as many
    steps as there are augmentations, for all variants; weights of teachers are not read, as they change no time.

    Args:
        config: Path of a distillation config; None for the default pair on videos of an ordinary size.
        videos: Number of training videos that are used, the first ones; two for each clip of a batch by default.
        views: Number of augmentations of each video; with cached answers, one and all of them are taken of a decoded
            video, and all of the same frames.
        batch_size: Number of clips in a batch; the config's by default.
        cfg_options: Settings that replace those of the config, by dotted key.
        settings: Numbers of rounds and threads; the defaults of :class:`StepSettings` if left out.
        progress: Function that is called with (rounds done, rounds in all).

    Raises:
        ValueError: The config is no distillation from one frozen teacher.
    """
    settings = settings or StepSettings()
    threads = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        with _config_of(config, cfg_options) as whole, tempfile.TemporaryDirectory() as folder:
            _reduce(whole, videos, views, batch_size)
            caches = {same: Path(folder, str(same)) for same in dict.fromkeys((1, views))}
            for same, path in caches.items():
                cached = cache_teacher(whole, path, views=views, same_frames=same, workers=0)
            pieces = _variants(whole, caches, views)
            watch = LoadWatch()
            rounds = settings.rounds_until(lambda timings: all(row.settled for row in time_rows(timings, views)))
            timings = measure_interleaved(pieces, rounds, watch, progress=progress)
            report = Report(f'An epoch with cached answers: {_named(config)}')
            report.facts |= _facts(config, whole, settings, views)
            report.facts |= measured_facts(timings, watch)
            report.rows += time_rows(timings, views, whole.train_dataloader.batch_size * views) + [_bytes(cached)]
            report.raw = dict(seconds={name: vars(each) for name, each in timings.items()})
            return report
    finally:
        torch.set_num_threads(threads)


def time_rows(timings: Mapping[str, Timings], views: int, clips: int = 1) -> list[Row]:
    """Return the medians for a clip, and the ratios of cached to other epochs, round by round.

    Args:
        timings: Timings by variant; wall times beside other load are left out.
        views: Number of augmentations.
        clips: Number of clips in what was timed.
    """
    named = {'cpu': 'CPU time', 'wall': 'wall time'}
    void = {'wall'} if any(each.disturbed for each in timings.values()) else set()
    rows = []
    for clock, label in named.items():
        for name, each in timings.items():
            found = median_interval([seconds / clips for seconds in getattr(each, clock)])
            rows.append(Row.of(f'{name}, a clip, {label}', 's', None if clock in void else found))
    for name in cached_names(views):
        for other, target in ((ALONE, TARGET), (LIVE, None)):
            for clock, label in named.items():
                ratios = paired_ratios(getattr(timings[name], clock), getattr(timings[other], clock))
                found = None if clock in void else median_interval(ratios)
                rows.append(Row.of(f'{name} / {other}, {label}', 'ratio', found, target))
    return rows


def cached_names(views: int) -> dict[str, tuple[int, int]]:
    """Return the names of the variants with cached answers; the clips of a decoded video and of the same frames."""
    one = {'cached, 1 clip of a video': (1, 1)}
    several = {
        f'cached, {views} clips of a video': (views, 1),
        f'cached, {views} clips of its same frames': (views, views),
    }
    return one if views == 1 else one | several


@contextmanager
def _config_of(path: str | None, cfg_options: Mapping[str, Any] | None) -> Iterator[Config]:
    if path is not None:
        config = read_config(path, cfg_options)
        if not is_distillation(config) or len(named_teachers(config.model.get('teacher'))) != 1:
            raise WrongValueError(f'{path}: got a config without a teacher, or with several; expected one teacher')
        yield config
        return
    with tempfile.TemporaryDirectory() as folder:
        for number in range(VIDEOS):
            make_video(Path(folder, f'{number}.mp4'), FRAMES)
        Path(folder, 'train.txt').write_text(''.join(f'{number}.mp4 {number % 8}\n' for number in range(VIDEOS)))
        config = default_config(folder, ordinary_pipelines())
        config.model.terms = [dict(type='KDLoss', at='logits')]
        yield config


def _reduce(config: Config, videos: int | None, views: int, batch_size: int | None) -> None:
    """Leave the first training videos, no workers and untrained teachers."""
    loader = config.train_dataloader
    size = loader.batch_size = batch_size or loader.batch_size
    if size % views:
        raise WrongValueError(f'batch size: got {size}; expected a multiple of {views}, the number of views')
    keys, data = keys_to_dataset(loader, 'pipeline')
    data['indices'] = max(videos or 2 * size, size)
    loader.update(num_workers=0, persistent_workers=False)
    loader.setdefault('sampler', dict(type='DefaultSampler', shuffle=True))
    for each in named_teachers(config.model.teacher).values():
        each['checkpoint'] = None


def _variants(config: Config, caches: Mapping[int, Path], views: int) -> dict[str, Callable[[], None]]:
    alone = plain_student(config)
    found = {ALONE: _piece(alone, alone.train_dataloader, views), LIVE: _piece(config, config.train_dataloader, views)}
    name = next(iter(named_teachers(config.model.teacher)))
    for label, (number, same) in cached_names(views).items():
        taught = copy.deepcopy(config)
        teacher = dict(type='CachedTeacher', cache=str(caches[same]), clips_per_video=number)
        taught.model.pop('teacher')
        taught.model['teacher'] = {name: teacher}
        found[label] = _piece(taught, without_views(taught.train_dataloader), views)
    return found


def _piece(config: Config, loader: Mapping, steps: int) -> Callable[[], None]:
    """Return a function that trains some steps further, from the video to the changed weights."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        seed_everything(0)
        build = MODELS.build if is_distillation(config) else build_model
        model = build(copy.deepcopy(config.model)).train()
        distils = isinstance(model, Distiller)
        settings = copy.deepcopy(config.optim_wrapper)
        wrapper = model.build_optim_wrapper(settings) if distils else build_optim_wrapper(model, settings)
        replay = next((each.replay for each in model.teachers.values()), None) if distils else None
        batches = _batches(loader, replay)
    for watch in model.first_batches.values() if distils else ():
        watch.done = True
    done = 0

    def piece() -> None:
        nonlocal done
        for _ in range(steps):
            if distils:
                model.set_progress(done, 0, 1, STEPS_OF_A_LONG_TRAINING)
            model.train_step(next(batches), wrapper)
            done += 1

    return piece


def _batches(settings: Mapping, replay: Replay | None) -> Iterator[dict]:
    """Give the batches of one epoch after the other, as ReproducibleHook lets them be loaded."""
    loader = Runner.build_dataloader(copy.deepcopy(dict(settings)), seed=0)
    clips = 1 if replay is None else replay.clips
    dataset = SeededDataset(loader.dataset, 0, replay=replay)
    keys = KeyedBatchSampler(loader.batch_sampler, clips)
    loaded = DataLoader(dataset, batch_sampler=keys, collate_fn=FlatCollate(loader.collate_fn))

    def epochs() -> Iterator[dict]:
        for epoch in itertools.count():
            keys.set_epoch(epoch)
            yield from loaded

    return epochs()


def _bytes(cached: Cached) -> Row:
    return Row('bytes of a clip in the cache', round(cached.bytes / cached.clips), 'count')


def _named(config: str | None) -> str:
    return f'the default pair on videos of {SIZE[0]} x {SIZE[1]}' if config is None else config


def _facts(path: str | None, config: Config, settings: StepSettings, views: int) -> dict[str, str]:
    size = config.train_dataloader.batch_size
    of = f'videos of {FRAMES} pictures, {SIZE[0]} x {SIZE[1]}, made here; ' if path is None else ''
    return {
        'a piece of an epoch': f'{views} batches of {size} clips, loaded in the process that trains; {of}'
        f'{settings.threads} CPU thread(s)',
        'cache': f'{views} augmentations of each video',
        'versions': f'mmkd_video {mmkd_video.__version__}, torch {torch.__version__}',
    }
