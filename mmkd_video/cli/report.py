"""The command line of ``tools/report.py``."""

import argparse
from collections.abc import Sequence

from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.interrupts import exit_on_sigterm
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.command_line import program_of
from mmkd_video.workflows.report.report import CLIPS, NAME, write_report


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the page, and say what is not in it."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    exit_on_sigterm()
    with exit_on_error(parser):
        target, parts = write_report(
            options.work_dirs,
            out=options.out,
            pictures=options.pictures,
            data_root=options.data_root,
            num_clips=options.clips,
            force=options.force,
        )
        for problem in dict.fromkeys(problem for part in parts for problem in part.problems):
            print(problem.replace('\n', ' '))
        print(f'{target}: {target.stat().st_size / 1e6:.1f} MB, in one file')


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('report'),
        description='Write one HTML page about trainings, comparisons and compressions: curves, terms, agreement, '
        'classes, confusions, calibration, clips, latency. It needs no other file and no network.',
        epilog=EXITS,
    )
    parser.add_argument(
        'work_dirs', nargs='+', metavar='work_dir', help='folders that compare, train or compress wrote'
    )
    parser.add_argument('--out', help=f'the page; {NAME} in the first folder by default')
    parser.add_argument('--pictures', metavar='FOLDER', help='write every chart as PNG into this folder, too')
    parser.add_argument(
        '--data-root', metavar='FOLDER', help='folder that relative paths of clips begin from; where you are by default'
    )
    parser.add_argument('--clips', type=int, default=CLIPS, help=f'how many clips play in the page, at most; {CLIPS}')
    parser.add_argument('--force', action='store_true', help='replace files that this tool did not write')
    return checked_options(parser)


if __name__ == '__main__':
    main()
