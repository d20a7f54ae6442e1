"""The command line of ``tools/compare.py``."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import mmkd_video  # noqa: F401  the stack must be mended before a config with custom imports is read
from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.interrupts import exit_on_sigterm
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.command_line import program_of
from mmkd_video.workflows.compare.comparing import compare_configs, default_work_dir, save
from mmkd_video.workflows.compare.protocol import TUNING_SEEDS
from mmkd_video.workflows.compare.settings import ComparisonSettings
from mmkd_video.workflows.compare.table import as_text


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is not finished yet, print the tables and save them."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    exit_on_sigterm()
    with exit_on_error(parser, resumes=True):
        comparison = compare_configs(
            options.configs,
            settings_of(options),
            add_seeds=None if options.add_seeds is None else _flat(options.add_seeds),
            work_dir=options.work_dir,
            jobs=options.jobs,
            may_prepare=not options.no_prepare,
        )
        work_dir = Path(options.work_dir or default_work_dir(options.configs))
        files = save(comparison, work_dir)
        print(f'\n{as_text(comparison)}\n\nsaved in {work_dir}: {", ".join(files)}')
    if comparison.missing:
        parser.exit(1, f'error: {len(comparison.missing)} runs failed; the same command tries them again\n')


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('compare'),
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
    parser.add_argument('--num-folds', type=int, help='of --folds, counted from 0')
    parser.add_argument('--jobs', type=int, default=1, help='runs side by side; the cores are shared out')
    parser.add_argument('--work-dir', help="work_dirs/compare/<first config's name> by default")
    parser.add_argument('--metric', help="compared; acc/top1 by default, or the test's first one")
    parser.add_argument('--no-prepare', action='store_true', help='neither render clips nor train the teacher first')
    add_cfg_options(parser)
    return checked_options(parser)


def seeds_in(text: str) -> list[int]:
    """Return the seeds that ``3`` or ``0-9`` means."""
    found = re.fullmatch(r'(\d+)(?:-(\d+))?', text)
    if not found:
        raise argparse.ArgumentTypeError(f'got {text!r}; expected a number, or two as in 0-9')
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise argparse.ArgumentTypeError(f'got {text!r}; expected the smaller number first')
    return list(range(first, last + 1))


def settings_of(options: argparse.Namespace) -> ComparisonSettings:
    """Return the settings of a command line that determine the table.

    Args:
        options: Options of :func:`build_parser`.

    Raises:
        ValueError: They do not go together.
    """
    return ComparisonSettings(
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


def _flat(seeds: Sequence[Sequence[int]]) -> list[int]:
    return list(dict.fromkeys(seed for each in seeds for seed in each))


if __name__ == '__main__':
    main()
