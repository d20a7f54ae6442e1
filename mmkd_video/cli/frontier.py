"""The command line of ``tools/frontier.py``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.interrupts import exit_on_sigterm
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.command_line import program_of
from mmkd_video.core.files.new import expect_new
from mmkd_video.core.progress_bar import ProgressBar, at_each_tenth
from mmkd_video.workflows.report.frontier import measure_frontier, save_frontier

FOLDER = Path('work_dirs/frontier')


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure as the command line says, print the table and write it with its picture."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    exit_on_sigterm()
    with exit_on_error(parser):
        out = Path(options.out or FOLDER)
        if options.out:
            expect_new('--out', str(out / 'frontier.png'), options.force)
        with ProgressBar('round', print_rule=at_each_tenth) as progress:
            found = measure_frontier(
                options.work_dirs,
                rounds=options.rounds,
                warmup=options.warmup,
                threads=options.threads,
                progress=progress,
            )
        files = save_frontier(found, out)
        print(found.as_text())
        print(f'\nsaved in {", ".join(map(str, files))}')


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('frontier'),
        description='Accuracy against latency and operations of the students of finished comparisons: a table and a '
        'picture, with those that no other one beats marked.',
        epilog=EXITS,
    )
    parser.add_argument('work_dirs', nargs='+', metavar='work_dir', help='folders that compare wrote')
    parser.add_argument('--out', help=f'folder of the table and the picture; {FOLDER} by default')
    parser.add_argument('--rounds', type=int, default=30, help='each runs every student once')
    parser.add_argument('--warmup', type=int, default=3, help='rounds before that')
    parser.add_argument('--threads', type=int, default=1, help="PyTorch's")
    parser.add_argument('--force', action='store_true', help='replace existing files')
    return checked_options(parser)


if __name__ == '__main__':
    main()
