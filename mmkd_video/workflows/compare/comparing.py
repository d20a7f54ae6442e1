"""A comparison from its configs to the table: teacher, student alone and student distilled, nothing else different."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from mmengine.config import Config

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.stages import stages_of
from mmkd_video.workflows.compare.arms import make_arms
from mmkd_video.workflows.compare.folds import compare_folds
from mmkd_video.workflows.compare.picture import draw_comparison
from mmkd_video.workflows.compare.protocol import compare
from mmkd_video.workflows.compare.result import Comparison
from mmkd_video.workflows.compare.settings import SAVED, ComparisonSettings, command_of
from mmkd_video.workflows.compare.table import as_markdown, as_text
from mmkd_video.workflows.train.prepare import prepare


def default_work_dir(configs: Sequence[str]) -> Path:
    """Return the work dir of a comparison that was given none.

    Args:
        configs: Paths of the configs.
    """
    return Path('work_dirs', 'compare', Path(configs[0]).stem)


def compare_configs(
    paths: Sequence[str],
    settings: ComparisonSettings | None = None,
    *,
    add_seeds: Sequence[int] | None = None,
    work_dir: str | None = None,
    jobs: int = 1,
    may_prepare: bool = True,
) -> Comparison:
    """Make what is missing, and compare the distillations of configs with their student alone.

    Args:
        paths: Paths of distillation configs of one plain student.
        settings: Settings that decide the table; as shipped by default.
        add_seeds: Seeds to add to the table in the work dir, whose other settings stay; None: to none.
        work_dir: Folder of the comparison, ``work_dirs/compare/<first config's name>`` by default.
        jobs: Number of runs side by side.
        may_prepare: Whether clips may be rendered and teachers trained first.

    Returns:
        The comparison of all runs, with the settings as its ``options``.

    Raises:
        FileNotFoundError: A config is missing, or something that may not be prepared.
        RuntimeError: Nothing could be measured.
        ValueError: The configs or settings do not fit together.
    """
    settings = settings or ComparisonSettings()
    names = _names_of(paths)
    folder = Path(work_dir or default_work_dir(paths))
    if add_seeds is not None:
        settings = settings.with_seeds_of(folder, paths, add_seeds)
    command = command_of(paths, settings, work_dir)
    configs = {name: read_config(path, settings.cfg_options) for name, path in zip(names, paths, strict=True)}
    make_arms(configs)  # tells what does not fit together before a teacher is trained
    comparison = run(configs, settings, folder, jobs=jobs, command=command, may_prepare=may_prepare)
    comparison.options.update(settings.as_dict())
    return comparison


def run(
    configs: Mapping[str, Config],
    settings: ComparisonSettings,
    work_dir: Path,
    *,
    jobs: int = 1,
    command: str = '',
    may_prepare: bool = True,
) -> Comparison:
    """Make what is missing, and compare, in folds or not.

    Args:
        configs: Distillation configs by name.
        settings: Settings that decide the table.
        work_dir: Folder of the comparison.
        jobs: Number of runs side by side.
        command: Command that is kept beside the results.
        may_prepare: Whether clips may be rendered and teachers trained first.
    """
    given = dict(
        grid=settings.grid,
        tuning_seeds=settings.tuning_seeds,
        at_grid=settings.at_grid,
        as_long=settings.as_long,
        metric=settings.metric,
        jobs=jobs,
        command=command,
        say=_say,
    )
    make = partial(_prepare, allowed=may_prepare)
    if settings.folds:
        folds = dict(templates=settings.folds, num_folds=settings.num_folds, prepare=make)
        folds['read'] = lambda config, more: read_config(config.filename, {**settings.cfg_options, **more})
        return compare_folds(configs, settings.seeds, work_dir, **folds, **given)
    for config in configs.values():
        make(config)
    return compare(configs, settings.seeds, work_dir, **given)


def save(comparison: Comparison, work_dir: Path) -> list[str]:
    """Write the tables as text and as markdown, all numbers as JSON, and the picture.

    Args:
        comparison: Comparison to write.
        work_dir: Folder to write into.

    Returns:
        The files' names.
    """
    write_atomically((as_text(comparison) + '\n').encode(), work_dir / 'compare.txt')
    write_atomically((as_markdown(comparison) + '\n').encode(), work_dir / 'compare.md')
    write_atomically((json.dumps(comparison.as_dict(), indent=1) + '\n').encode(), work_dir / SAVED)
    draw_comparison(comparison, work_dir / 'compare.png')
    return ['compare.txt', 'compare.md', SAVED, 'compare.png']


def _names_of(paths: Sequence[str]) -> list[str]:
    """Return the stem of each config; those of one stem are told apart by their folders."""
    stems = [Path(path).stem for path in paths]
    names = [
        stem if stems.count(stem) == 1 else f'{Path(path).resolve().parent.name}_{stem}'
        for path, stem in zip(paths, stems, strict=True)
    ]
    for name in names:
        if names.count(name) > 1:
            raise WrongValueError(f'got two configs named {name}; expected different configs, each once')
    return names


def _prepare(config: Config, allowed: bool) -> None:
    prepare(config, allowed=allowed)
    for stage in stages_of(config):
        prepare(stage.config, allowed=allowed)


def _say(line: str) -> None:
    print(line, flush=True)
