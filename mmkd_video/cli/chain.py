"""The command line of ``tools/chain.py``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import mmkd_video  # noqa: F401  the stack must be mended before a config with custom imports is read
from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.interrupts import exit_on_sigterm
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.command_line import program_of
from mmkd_video.workflows.chain.chaining import TABLE, train_chain
from mmkd_video.workflows.chain.links import read_links


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is not trained yet; print the table and where everything is."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    exit_on_sigterm()
    with exit_on_error(parser, resumes=True):
        links = read_links(
            options.configs,
            generations=options.generations,
            teacher=options.teacher_name,
            cfg_options=options.cfg_options,
        )
        work_dir = Path(options.work_dir or Path('work_dirs', 'chain', Path(options.configs[-1]).stem))
        print('\n' + train_chain(links, work_dir, seed=options.seed, may_prepare=not options.no_prepare))
        print(f'saved in {work_dir}: {TABLE}, and a checkpoint of each link')


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('chain'),
        description='Train configs in order: the student of each becomes the teacher of the next (teacher assistants, '
        'proxies, born-again generations). Finished links are kept, an interrupted one is resumed. Each is scored on '
        'test. In one process: launchers are not supported.',
        epilog=EXITS,
    )
    parser.add_argument(
        'configs', nargs='+', help='in order; the first one may be of a plain recognizer, all others are distillations'
    )
    parser.add_argument(
        '--generations', type=int, default=1, help='times that the last config is trained, by itself from then on; 1'
    )
    parser.add_argument('--work-dir', help="work_dirs/chain/<last config's name> by default")
    parser.add_argument('--teacher-name', metavar='NAME', help='which of several teachers the link before becomes')
    parser.add_argument('--seed', type=int, default=0, help='of each training; 0')
    parser.add_argument('--no-prepare', action='store_true', help='neither render clips nor train the first teacher')
    add_cfg_options(parser)
    return checked_options(parser)


if __name__ == '__main__':
    main()
