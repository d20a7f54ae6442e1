"""A teacher's answers to every sample of a training set, in a number of augmentations, written to a cache."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.dist import all_gather_object
from mmengine.registry import DefaultScope
from torch import Tensor
from torch.utils.data import DataLoader

from mmkd_video.core.files.digest import sha256_of_settings
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.core.replay import Replay
from mmkd_video.datasets import SampleKey, SeededDataset, build_replayed, hash_of_names, hash_of_pipeline
from mmkd_video.masking import build_mask
from mmkd_video.recognizers.class_matching import name_classes
from mmkd_video.recognizers.pipelines import find_pipelines, pipeline_of_loader, type_name
from mmkd_video.recognizers.plain_student import is_distillation, named_teachers
from mmkd_video.teachers import FrozenTeacher
from mmkd_video.teachers.cache import Manifest, rows_for
from mmkd_video.terms import parse_terms
from mmkd_video.workflows.cache.ranks import SharedWriter, join
from mmkd_video.workflows.train.prepare import prepare

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Cached:
    """What was done.

    Attributes:
        clips: Number of answers that the cache is made of.
        computed: Number of them that were made this time; the others were there.
        absent: Number of those made this time that are missing, as their videos cannot be read.
        bytes: Size of the cache.
    """

    clips: int
    computed: int
    absent: int
    bytes: int


def cache_teacher(
    config: Config,
    folder: str | Path,
    *,
    views: int = 1,
    same_frames: int = 1,
    topk: int | None = None,
    taps: Sequence[str] | None = None,
    teacher: str | None = None,
    seed: int | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    amp: bool = False,
    launcher: str = 'none',
    may_prepare: bool = True,
    progress: Progress = lambda done, total: None,
) -> Cached:
    """Run the teacher of a distillation over its training set, and keep its answers; go on where that was stopped.

    Args:
        config: Config of the distillation.
        folder: Folder of the cache.
        views: Number of augmentations of each sample.
        same_frames: Number of these, one after the other, that show the same frames of a video; it divides ``views``.
        topk: Number of classes whose scores are kept; None for all.
        taps: Taps to keep; by default the class scores, and what the terms read of this teacher.
        teacher: Name of the teacher; the only one by default.
        seed: Number that the augmentations follow from; the config's by default.
        batch_size: Number of clips at once; the training's by default.
        workers: Number of processes that load clips, for each one that asks the teacher; the training's by default.
        amp: Whether the teacher computes in half precision: float16 on a GPU, bfloat16 on a CPU.
        launcher: Name of what started the processes that share the work, as MMEngine calls it.
        may_prepare: Whether what the config's ``prepare`` names and is missing may be made first.
        progress: Function that is called with (done, in all), in clips.

    Raises:
        FileNotFoundError: Something is missing that may not be prepared.
        KeyError: There is no such teacher or tap.
        ValueError: The config does not distil, or blends samples, or its teacher is not one that runs.
    """
    config.launcher = launcher
    _expect_distillation(config)
    prepare(config, allowed=may_prepare)
    if amp:
        _use_half_precision(config, teacher)
    name_classes(config)
    join(launcher, dict((config.get('env_cfg') or {}).get('dist_cfg') or {}))
    with DefaultScope.overwrite_default_scope(config.get('default_scope') or 'mmaction'):
        model = MODELS.build(config.model).to(get_device()).train()
        name, asked = _teacher(model.teachers, teacher)
        loader = config.train_dataloader
        if topk is not None and asked.several_labels:
            raise WrongValueError(
                f'--topk: got {topk}, but {name} scores each class by itself, and the best classes of it are no '
                'distribution over all; leave --topk out'
            )
        asked.tap(_taps(config, name, list(model.teachers)) if taps is None else taps)
        if seed is None:
            seed = (config.get('randomness') or {}).get('seed') or 0
        replay, data = _training_set(loader, seed, views, same_frames, str(folder))
        ask = _Asking(model, name)
        example = ask(pseudo_collate([data[SampleKey(0)]]))[0]
        shapes = {tap: tuple(found.shape) for tap, found in example.items()}
        manifest = Manifest(
            teacher=asked.fingerprint,
            student_pipeline=replay.pipeline,
            teacher_pipeline=_hash_of_view(loader, name, asked),
            names=replay.names,
            seed=seed,
            samples=replay.samples,
            views=views,
            same_frames=same_frames,
            classes=asked.num_classes,
            topk=topk,
            taps=shapes,
            rows=rows_for(shapes, replay.samples),
        )
        with SharedWriter(folder, manifest) as writer:
            size = batch_size or loader.get('batch_size') or 1
            number = loader.get('num_workers', 0) if workers is None else workers
            return _write(writer, data, ask, size, number, progress)


class _Asking:
    """The teacher's answers to batches of the training loader."""

    def __init__(self, model: Any, name: str) -> None:
        self.model, self.name = model, name

    def __call__(self, batch: dict) -> list[dict[str, Tensor]]:
        prepared = self.model.data_preprocessor(batch, True)
        found = self.model.teachers[self.name].features(prepared['views'][self.name])
        count = len(prepared['data_samples'])
        return [{tap: feature[place] for tap, feature in found.items()} for place in range(count)]


def _write(
    writer: SharedWriter, data: SeededDataset, ask: _Asking, batch_size: int, workers: int, progress: Progress
) -> Cached:
    manifest = writer.manifest
    total = manifest.samples * manifest.views
    done = total - sum(len(manifest.covers(number)[1]) for number, kept in enumerate(manifest.shards) if kept is None)
    computed = absent = 0
    batches = [keys for number in writer.own() for keys in _batches(manifest, number, batch_size)]
    # read in order, so that a file is whole as soon as its last batch is
    loaded: Iterator = iter(
        DataLoader(data, batch_sampler=batches, num_workers=workers, collate_fn=pseudo_collate) if batches else ()
    )
    for number in writer.rounds():
        rows: list[dict[str, Tensor] | None] = []
        for _ in _batches(manifest, number, batch_size) if number is not None else ():
            batch = next(loaded)
            readable = [not sample.metainfo.get('replaced_videos') for sample in batch['data_samples']]
            answers = [
                {tap: found.half().cpu() if tap != 'logits' else found.cpu() for tap, found in each.items()}
                for each in ask(batch)
            ]
            rows += [each if there else None for each, there in zip(answers, readable, strict=True)]
            computed += len(readable)
            absent += readable.count(False)
            progress(min(done + computed * writer.ranks, total), total)
        writer.write(number, rows)
    computed, absent = (sum(each) for each in zip(*all_gather_object((computed, absent)), strict=True))
    size = sum(shard.bytes for shard in writer.manifest.shards)
    return Cached(total, computed, absent, size)


def _batches(manifest: Manifest, number: int, size: int) -> list[list[SampleKey]]:
    view, samples = manifest.covers(number)
    keys = [SampleKey(sample, view) for sample in samples]
    return [keys[first : first + size] for first in range(0, len(keys), size)]


def _training_set(
    loader: Mapping, seed: int, views: int, same_frames: int, folder: str
) -> tuple[Replay, SeededDataset]:
    if views % same_frames:
        raise WrongValueError(
            f'same_frames: got {same_frames}; expected a number that divides the {views} views, such as 1 or {views}'
        )
    dataset = build_replayed(loader, seed)
    samples = SeededDataset(dataset, seed).num_distinct
    if not samples:
        raise WrongValueError('train_dataloader: got no samples; expected a list of videos')
    names, pipeline = hash_of_names(dataset), hash_of_pipeline(loader)
    replay = Replay(seed, views, samples, names, pipeline, folder, same_frames=same_frames)
    return replay, SeededDataset(dataset, seed, replay=replay)


def _expect_distillation(config: Config) -> None:
    if not is_distillation(config):
        raise WrongValueError(
            f"model.type: got {config.model.get('type')!r}; expected 'Distiller', whose teacher is to be cached"
        )
    student = config.model['student']
    preprocessor = student.get('data_preprocessor') or config.model.get('data_preprocessor') or {}
    if preprocessor.get('blending'):
        raise WrongValueError(
            f'data_preprocessor.blending: got {preprocessor["blending"]["type"]}, which mixes the clips of a batch; '
            'answers are kept of single clips: take blending out of the config'
        )


def _use_half_precision(config: Config, name: str | None) -> None:
    named = named_teachers(config.model.get('teacher'))
    for key, each in named.items():
        if name in (None, key):
            each['precision'] = 'f16' if get_device() == 'cuda' else 'bf16'


def _teacher(teachers: Mapping[str, Any], name: str | None) -> tuple[str, FrozenTeacher]:
    if name is None and len(teachers) == 1:
        name = next(iter(teachers))
    if name not in teachers:
        raise WrongKeyError(f'teacher: got {name!r}; expected the name of one of {", ".join(teachers) or "no teacher"}')
    if not isinstance(teachers[name], FrozenTeacher):
        raise WrongValueError(
            f'{name}.type: got {type(teachers[name]).__name__}; expected FrozenTeacher, the kind whose answers to a '
            'clip are always the same'
        )
    return name, teachers[name]


def _taps(config: Config, name: str, teachers: list[str]) -> list[str]:
    """Return the class scores and what the terms, and the mask of the student's tokens, read of one teacher."""
    specs = parse_terms(config.model.get('terms', ()), teachers)
    found = ['logits', *(tap for spec in specs if spec.teacher == name for _, tap in spec.pairs)]
    masking = config.model.get('masking')
    mask = None if masking is None else build_mask(masking)
    if mask is not None and mask.at is not None and (mask.teacher or teachers[0]) == name:
        found.append(mask.at)
    return list(dict.fromkeys(found))


def _hash_of_view(loader: Mapping, name: str, teacher: FrozenTeacher) -> str:
    """Return a hash of what makes the teacher's input of a sample, and of its precision."""
    steps = pipeline_of_loader(loader) or []
    found: Any = 'student'
    for step in steps:
        if type_name(step) == 'DistillViews':
            own = find_pipelines(step['teacher'], step.get('name', 'teacher'))
            found = [own.get(name, 'student'), step.get('span', 'inside'), step.get('on_short', 'error')]
    return sha256_of_settings([found, teacher.precision])[:16]
