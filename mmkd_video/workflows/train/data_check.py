"""Whether all that a config trains, validates and tests on can be read: every list and every video, once."""

import copy
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmkd_video.compat.annotation_lines import annotation_files, wrong_line
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.datasets.decoders import chosen_decoder
from mmkd_video.datasets.decoders.probing import probe_videos
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.plain_student import plain_student

SPLITS = ('train', 'val', 'test')


@dataclass
class DataReport:
    """What was found.

    Attributes:
        videos: Number of different videos that were opened.
        decoder: Name of the decoder that read them.
        problems: One line for each: ``split: what is wrong``.
    """

    videos: int = 0
    decoder: str = ''
    problems: list[str] = field(default_factory=list)


def check_data(
    path: str,
    *,
    workers: int | None = None,
    seconds: float = 120.0,
    cfg_options: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> DataReport:
    """Read the lists of a config, and open every video that they name once.

    Args:
        path: Path of the config.
        workers: Number of processes; as many as there are processors by default.
        seconds: Longest time that a video may take.
        cfg_options: Settings that replace those of the config, by dotted key.
        progress: Function that is called with (done, in all).

    Raises:
        FileNotFoundError: There is no such config.
        ImportError: The decoder is not installed.
        ValueError: The config has no data sets of videos.
    """
    config = plain_student(read_config(path, cfg_options, with_budget=False))
    report = DataReport(decoder=chosen_decoder())
    users: dict[str, list[str]] = {}
    for split in SPLITS:
        dataset = (config.get(f'{split}_dataloader') or {}).get('dataset')
        for name in _videos(dataset, split, config, report) if dataset else ():
            users.setdefault(name, []).append(split)
    if not users and not report.problems:
        raise WrongValueError(
            f'{path}: no dataloader reads videos; expected annotation files of videos, one path a line'
        )
    report.videos = len(users)
    bad = probe_videos(
        list(users), decoder=report.decoder, workers=workers or os.cpu_count() or 1, seconds=seconds, progress=progress
    )
    report.problems += [f'{", ".join(dict.fromkeys(users[name]))}: {name} {problem}' for name, problem in bad.items()]
    for name, splits in users.items():
        if 'train' in splits and set(splits) > {'train'}:
            report.problems.append(f'{", ".join(dict.fromkeys(splits))}: {name} is trained on and tested with')
    return report


def write_report(report: DataReport, path: str | Path) -> None:
    """Write what is wrong, one line each.

    Args:
        report: Result of the check.
        path: File to write.

    Raises:
        OSError: It cannot be written.
    """
    write_atomically(''.join(f'{line}\n' for line in report.problems).encode(), path)


def _videos(dataset: Mapping, split: str, config: Config, report: DataReport) -> list[str]:
    """Return the videos of a data set; what is wrong with its lists goes into the report."""
    try:
        with DefaultScope.overwrite_default_scope('mmaction'):
            built = DATASETS.build(_without_pipeline(dataset))
    except (ValueError, OSError) as error:
        report.problems.append(f'{split}: {error}')
        return []
    classes = ((config.get('model') or {}).get('cls_head') or {}).get('num_classes')
    for file, columns in annotation_files(built):
        wrong = wrong_line(file, columns, classes, labelled=split == 'val')
        if wrong:
            report.problems.append(f'{split}: {wrong}')
    infos = (built.get_data_info(index) for index in range(len(built)))
    return list(dict.fromkeys(info['filename'] for info in infos if info.get('filename')))


def _without_pipeline(dataset: Mapping) -> dict:
    """Return a data set's config that reads lists and nothing else."""
    changed = copy.deepcopy(dict(dataset))
    if 'dataset' in changed:
        changed['dataset'] = _without_pipeline(changed['dataset'])
    if 'datasets' in changed:
        changed['datasets'] = [_without_pipeline(each) for each in changed['datasets']]
    return {**changed, 'pipeline': []} if 'pipeline' in changed else changed
