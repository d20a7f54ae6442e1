"""Statistics of a teacher's features over a training set, written to a file."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from torch.utils.data import DataLoader

from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.core.replay import Replay
from mmkd_video.datasets import SampleKey, SeededDataset, build_replayed
from mmkd_video.recognizers.class_matching import name_classes
from mmkd_video.recognizers.plain_student import given_teachers, is_distillation
from mmkd_video.taps.feature_statistics import FeatureStatistics, Moments, write_statistics
from mmkd_video.teachers import FrozenTeacher
from mmkd_video.terms import parse_terms

Progress = Callable[[int, int], None]
SCORES = ('logits', 'frame_logits', 'cam')


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        clips: Number of clips that the teacher saw.
        taps: Statistics by tap.
    """

    clips: int
    taps: dict[str, FeatureStatistics]


def feature_statistics(
    config: Config,
    path: str | Path,
    *,
    taps: Sequence[str] | None = None,
    teacher: str | None = None,
    clips: int | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
) -> Measured:
    """Run the teacher of a distillation over its training set, and write what its features are like.

    Args:
        config: Config of the distillation; files that its ``target_norm`` names need not be there yet.
        path: File to write.
        taps: Taps of the teacher; by default the features that the terms read of it.
        teacher: Name of the teacher, or of a member of an ensemble; the only one by default.
        clips: Number of clips, drawn at random; all by default.
        batch_size: Number of clips at once; the training's by default.
        workers: Number of processes that load clips; the training's by default.
        progress: Function that is called with (done, in all), in clips.

    Raises:
        KeyError: There is no such teacher or tap.
        ValueError: The config does not distil, its teacher is not one that runs, or its features do not vary.
    """
    if not is_distillation(config):
        raise WrongValueError(
            f"model.type: got {config.model.get('type')!r}; expected 'Distiller', which has a teacher"
        )
    name_classes(config)
    with DefaultScope.overwrite_default_scope(config.get('default_scope') or 'mmaction'):
        model = MODELS.build(_without_norms(config.model)).to(get_device()).train()
        name, part = _part(model.teachers, teacher)
        read = list(taps or _taps_of(config, name, model.teachers))
        if not read:
            raise WrongValueError(f'--taps: got none, and no term reads a feature of {name}; expected taps of it')
        part.tap(read)
        moments = {tap: Moments() for tap in read}
        loader = config.train_dataloader
        seed = (config.get('randomness') or {}).get('seed') or 0
        data, chosen = _training_set(loader, seed, clips, str(path))
        size = batch_size or loader.get('batch_size') or 1
        batches = [chosen[first : first + size] for first in range(0, len(chosen), size)]
        number = loader.get('num_workers', 0) if workers is None else workers
        done = 0
        for batch in DataLoader(data, batch_sampler=batches, num_workers=number, collate_fn=pseudo_collate):
            found = part.features(model.data_preprocessor(batch, True)['views'][name])
            for tap in read:
                moments[tap].add(found[tap])
            done += len(batch['data_samples'])
            progress(done, len(chosen))
    statistics = {tap: each.statistics(f'{name}: {tap}') for tap, each in moments.items()}
    write_statistics(path, part.fingerprint, statistics)
    return Measured(done, statistics)


def _training_set(loader: Mapping, seed: int, clips: int | None, path: str) -> tuple[SeededDataset, list[SampleKey]]:
    """Return the training set, and the clips that are looked at."""
    dataset = build_replayed(loader, seed)
    samples = SeededDataset(dataset, seed).num_distinct
    if not samples:
        raise WrongValueError('train_dataloader: got no samples; expected a list of videos')
    order = torch.randperm(samples, generator=torch.Generator().manual_seed(seed)).tolist()
    replay = Replay(seed, 1, samples, '', '', path)
    return SeededDataset(dataset, seed, replay=replay), [SampleKey(index, 0) for index in order[:clips]]


def _without_norms(model: Mapping) -> dict:
    """Return the model's settings without ``target_norm``, whose files are still to be made."""
    found = copy.deepcopy(dict(model))
    terms = [{key: value for key, value in term.items() if key != 'target_norm'} for term in found.get('terms', ())]
    return found | dict(terms=terms)


def _part(teachers: Mapping[str, Any], name: str | None) -> tuple[str, FrozenTeacher]:
    parts = {part: each for teacher in teachers.values() for part, each in teacher.parts.items()}
    if name is None and len(parts) == 1:
        name = next(iter(parts))
    if name not in parts:
        raise WrongKeyError(f'teacher: got {name!r}; expected the name of one of {", ".join(parts) or "no teacher"}')
    if not isinstance(parts[name], FrozenTeacher):
        raise WrongValueError(
            f'{name}.type: got {type(parts[name]).__name__}; expected FrozenTeacher, the kind that does not change'
        )
    return name, parts[name]


def _taps_of(config: Config, name: str, teachers: Mapping[str, Any]) -> list[str]:
    """Return the features that terms read of a teacher, or of a member of one."""
    found = []
    for spec in parse_terms(_without_norms(config.model)['terms'], list(given_teachers(config.model['teacher']))):
        for _, tap in spec.pairs:
            member = tap.startswith(f'{name}.') and name in teachers[spec.teacher].parts
            own = tap.removeprefix(f'{name}.') if member else tap
            if (member or spec.teacher == name) and own not in SCORES:
                found.append(own)
    return list(dict.fromkeys(found))
