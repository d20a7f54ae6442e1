"""The command line of ``tools/refresh.py``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import mmkd_video  # noqa: F401  the stack must be mended before a config with custom imports is read
from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.compare import seeds_in
from mmkd_video.cli.interrupts import exit_on_sigterm
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.command_line import program_of
from mmkd_video.recognizers.config import read_config
from mmkd_video.workflows.refresh.refreshing import ARMS, CONFIG, REPORT, RESULTS, STUDENT, refresh


def main(arguments: Sequence[str] | None = None) -> None:
    """Refresh what is not done yet; print the report and where everything is."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    exit_on_sigterm()
    with exit_on_error(parser, resumes=True):
        config = read_config(options.config, options.cfg_options, with_budget=False)
        work_dir = Path(options.work_dir or Path('work_dirs', 'refresh', Path(options.config).stem))
        seeds = list(dict.fromkeys(seed for several in options.seeds for seed in several))
        text = refresh(config, work_dir, seeds=seeds, arms=options.arms, may_prepare=not options.no_prepare)
        print(f'\n{text}\nsaved in {work_dir}: {STUDENT}, {CONFIG}, {REPORT}, {RESULTS}')


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('refresh'),
        description='Teach a trained student new clips or classes: it is taught by itself as it was, and learns a '
        'memory of old clips again. A report says what it forgot. Finished parts are kept, an interrupted one is '
        'resumed. In one process: launchers are not supported.',
        epilog=EXITS,
    )
    parser.add_argument('config', help='a distillation by the student as it was, with a block refresh')
    parser.add_argument('--work-dir', help="work_dirs/refresh/<the config's name> by default")
    parser.add_argument(
        '--seeds', type=seeds_in, nargs='+', default=[[0]], help='of the trainings, 0 by default; 0-4 is five of them'
    )
    parser.add_argument(
        '--arms',
        nargs='+',
        choices=ARMS,
        default=[],
        help='train beside it: naive, on the new clips alone without teacher and memory; joint, on all clips',
    )
    parser.add_argument('--no-prepare', action='store_true', help='neither render clips nor train the old student')
    add_cfg_options(parser)
    return checked_options(parser)


if __name__ == '__main__':
    main()
