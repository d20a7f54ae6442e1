"""The code behind ``tools/compare.py``: teacher, student alone and student distilled, with nothing else different."""

import argparse
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.config import Config

import mmkd_video  # noqa: F401  the stack must be mended before a config with custom imports is read
from mmkd_video.cli.arguments import checked_numbers
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.interrupts import exit_on_sigterm
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.plain_data import Anything, Table, read_json
from mmkd_video.recognizers.config import read_config, to_arguments
from mmkd_video.workflows.compare.arms import make_arms
from mmkd_video.workflows.compare.folds import compare_folds
from mmkd_video.workflows.compare.picture import draw_comparison
from mmkd_video.workflows.compare.protocol import TUNING_SEEDS, compare
from mmkd_video.workflows.compare.result import Comparison
from mmkd_video.workflows.compare.table import as_markdown, as_text
from mmkd_video.workflows.train.prepare import prepare

SAVED = 'compare.json'
_TABLE = Table(Anything(1_000_000), most=50)
# What stays when seeds are added.
REMEMBERED = ('grid', 'tuning_seeds', 'at_grid', 'as_long', 'folds', 'num_folds', 'metric', 'cfg_options')


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is not finished yet, print the tables and save them."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    exit_on_sigterm()
    names = [Path(path).stem for path in options.configs]
    work_dir = Path(options.work_dir or Path('work_dirs', 'compare', names[0]))
    with exit_on_error(parser, resumes=True):
        if len(set(names)) < len(names):
            raise ValueError(f'got configs {", ".join(names)}; expected different names')
        settings = settings_of(options, work_dir)
        command = command_of(options.configs, settings, options.work_dir)
        configs = {
            name: read_config(path, settings['cfg_options']) for name, path in zip(names, options.configs, strict=True)
        }
        make_arms(configs)  # tells what does not fit together before a teacher is trained
        comparison = run(configs, settings, work_dir, options.jobs, command, not options.no_prepare)
    comparison.options.update(settings)
    files = save(comparison, work_dir)
    print(f'\n{as_text(comparison)}\n\nsaved in {work_dir}: {", ".join(files)}')
    if comparison.missing:
        parser.exit(1, f'error: {len(comparison.missing)} runs failed; the same command tries them again\n')


def run(
    configs: Mapping[str, Config],
    settings: Mapping[str, Any],
    work_dir: Path,
    jobs: int,
    command: str,
    may_prepare: bool,
) -> Comparison:
    """Make what is missing, and compare, in folds or not.

    Args:
        configs: Distillation configs by name.
        settings: What :func:`settings_of` gave.
        work_dir: Of the comparison.
        jobs: Runs side by side.
        command: Kept beside the results.
        may_prepare: Whether clips are rendered and teachers trained.
    """
    given = {key: settings[key] for key in ('grid', 'tuning_seeds', 'at_grid', 'as_long', 'metric')}
    given.update(jobs=jobs, command=command, say=_say)
    make = partial(prepare, allowed=may_prepare)
    if settings['folds']:
        folds = dict(templates=settings['folds'], num_folds=settings['num_folds'], prepare=make)
        folds['read'] = lambda config, more: read_config(config.filename, {**settings['cfg_options'], **more})
        return compare_folds(configs, settings['seeds'], work_dir, **folds, **given)
    for config in configs.values():
        make(config)
    return compare(configs, settings['seeds'], work_dir, **given)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog='compare.py',
        description='Compare teacher, student alone and student distilled: same steps, augmentation and learning rate; '
        'the last checkpoint is scored on test. Finished runs are kept, an interrupted one is resumed.',
        epilog=EXITS,
    )
    parser.add_argument('configs', nargs='+', metavar='config', help='distillation configs of one plain student')
    parser.add_argument(
        '--seeds', type=seeds_in, nargs='+', default=[[0]], help='of the evaluation, 0 by default; 0-9 is ten of them'
    )
    parser.add_argument(
        '--add-seeds', type=seeds_in, nargs='+', metavar='SEED', help='further seeds for the table in the work dir'
    )
    parser.add_argument(
        '--grid',
        nargs='+',
        action='extend',
        default=[],
        metavar='KEY=V1,V2',
        help='every arm is tuned over these values of any config key, on validation, with as many trials for each; '
        'x0.5 is half of what the config ships, which is always tried too',
    )
    parser.add_argument(
        '--tuning-seeds', type=seeds_in, nargs='*', default=[list(TUNING_SEEDS)], help='for the tuning; none of --seeds'
    )
    parser.add_argument('--at-grid', action='store_true', help='evaluate every point of the grid on all seeds')
    parser.add_argument(
        '--as-long', action='store_true', help='the student alone for as long as the distilled one takes, too'
    )
    parser.add_argument(
        '--folds',
        nargs='+',
        action='extend',
        default=[],
        metavar='KEY=VALUE',
        help="clips of each fold, with {} for its number: 'test_dataloader.dataset.ann_file=folds/fold{}_test.txt'; "
        'each fold trains a teacher and students, accuracy is over all test clips',
    )
    parser.add_argument('--num-folds', type=positive, help='of --folds, counted from 0')
    parser.add_argument('--jobs', type=positive, default=1, help='runs side by side; the cores are shared out')
    parser.add_argument('--work-dir', help="work_dirs/compare/<first config's name> by default")
    parser.add_argument('--metric', help="compared; acc/top1 by default, or the test's first one")
    parser.add_argument('--no-prepare', action='store_true', help='neither render clips nor train the teacher first')
    add_cfg_options(parser)
    return checked_numbers(parser)


def seeds_in(text: str) -> list[int]:
    """Return the seeds that ``3`` or ``0-9`` means."""
    found = re.fullmatch(r'(\d+)(?:-(\d+))?', text)
    if not found:
        raise argparse.ArgumentTypeError(f'got {text!r}; expected a number, or two as in 0-9')
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise argparse.ArgumentTypeError(f'got {text!r}; expected the smaller number first')
    return list(range(first, last + 1))


def positive(text: str) -> int:
    """Return a number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'got {text!r}; expected a number of at least 1')
    return int(text)


def settings_of(options: argparse.Namespace, work_dir: Path) -> dict[str, Any]:
    """Return what decides the table; with ``--add-seeds``, what decided the one that is there.

    Args:
        options: Of the command line.
        work_dir: Of the comparison.

    Raises:
        ValueError: There is no table to add to, or it is not what this tool writes.
    """
    settings = dict(
        seeds=_flat(options.seeds),
        grid=list(options.grid),
        tuning_seeds=_flat(options.tuning_seeds),
        at_grid=options.at_grid,
        as_long=options.as_long,
        folds=list(options.folds),
        num_folds=options.num_folds,
        metric=options.metric,
        cfg_options=dict(options.cfg_options or {}),
    )
    if options.add_seeds is None:
        if bool(options.folds) != (options.num_folds is not None):
            raise ValueError('--folds and --num-folds: got one of them; expected both')
        return settings
    path = work_dir / SAVED
    try:
        saved = Comparison.from_dict(read_json(path.read_bytes(), _TABLE, SAVED))
        before = {key: saved.options[key] for key in ('seeds', *REMEMBERED)}
        configs = list(saved.configs.values())
    except FileNotFoundError:
        raise ValueError(f'--add-seeds: {path} does not exist; make the table first, with --seeds') from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f'--add-seeds: {path} is not what tools/compare.py writes ({error}); use --seeds') from error
    if configs != list(options.configs):
        raise ValueError(
            f'--add-seeds: got {", ".join(options.configs)}; the table in {work_dir} is of {", ".join(configs)}'
        )
    plain = build_parser().parse_args(options.configs)
    changed = [key for key in REMEMBERED if getattr(options, key) != getattr(plain, key)]
    if changed:
        names = ', '.join(f'--{key.replace("_", "-")}' for key in changed)
        raise ValueError(f'--add-seeds: got {names} too; these stay as they are in {path}, so leave them out')
    return dict(before, seeds=list(dict.fromkeys([*before['seeds'], *_flat(options.add_seeds)])))


def command_of(configs: Sequence[str], settings: Mapping[str, Any], work_dir: str | None = None) -> str:
    """Return the one command that makes the whole table.

    Args:
        configs: Paths.
        settings: What :func:`settings_of` gave.
        work_dir: As given.
    """
    words = ['python', 'tools/compare.py', *configs, '--seeds', *map(str, settings['seeds'])]
    if settings['grid']:
        words += ['--grid', *settings['grid']]
        if settings['tuning_seeds'] != list(TUNING_SEEDS):
            words += ['--tuning-seeds', *map(str, settings['tuning_seeds'])]
    words += [f'--{key.replace("_", "-")}' for key in ('at_grid', 'as_long') if settings[key]]
    if settings['folds']:
        words += ['--folds', *settings['folds'], '--num-folds', str(settings['num_folds'])]
    words += ['--metric', settings['metric']] if settings['metric'] else []
    words += ['--work-dir', work_dir] if work_dir else []
    words += ['--cfg-options', *to_arguments(settings['cfg_options'])] if settings['cfg_options'] else []
    return shlex.join(words)


def save(comparison: Comparison, work_dir: Path) -> list[str]:
    """Write the tables as text and as markdown, all numbers as JSON, and the picture.

    Returns:
        Their names.
    """
    write_atomically((as_text(comparison) + '\n').encode(), work_dir / 'compare.txt')
    write_atomically((as_markdown(comparison) + '\n').encode(), work_dir / 'compare.md')
    write_atomically((json.dumps(comparison.as_dict(), indent=1) + '\n').encode(), work_dir / SAVED)
    draw_comparison(comparison, work_dir / 'compare.png')
    return ['compare.txt', 'compare.md', SAVED, 'compare.png']


def _flat(seeds: Sequence[Sequence[int]]) -> list[int]:
    return list(dict.fromkeys(seed for each in seeds for seed in each))


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == '__main__':
    main()
