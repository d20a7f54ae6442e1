"""Options that all kinds of ``tools/benchmark.py`` have: the number of rounds, and the files of the results."""

import argparse
from pathlib import Path

from mmkd_video.core.files.new import expect_new

FOLDER = Path('work_dirs/benchmark')


def add_max_rounds(parser: argparse.ArgumentParser, most: int) -> None:
    """Add ``--max-rounds``.

    Args:
        parser: Parser of one kind of benchmark.
        most: Default of the option.
    """
    parser.add_argument(
        '--max-rounds',
        type=int,
        default=most,
        help='rounds are added until the interval of every target reaches at most a hundredth of its median from it, '
        f'or lies on one side of the target; no more than these ({most})',
    )


def add_outputs(parser: argparse.ArgumentParser, name: str, picture: Path | None = None) -> None:
    """Add the options for the files of the results.

    Args:
        parser: Parser of one kind of benchmark.
        name: Name of that kind.
        picture: Path of its picture by default, if it draws one.
    """
    usual = dict(out=str(FOLDER / f'{name}.json'), picture=None if picture is None else str(picture))
    parser.set_defaults(usual=usual)
    if picture is not None:
        parser.add_argument('--picture', default=usual['picture'], help='accuracy against latency')
    parser.add_argument('--out', default=usual['out'], help=f'all numbers; {usual["out"]} by default')
    parser.add_argument(
        '--force',
        action='store_true',
        help=f'replace existing files; without it, only what lies in {FOLDER} by default is replaced',
    )
    parser.add_argument('--markdown', action='store_true', help='print the table as markdown')


def expect_new_outputs(options: argparse.Namespace) -> None:
    """Check that no file of the user's would be replaced.

    Args:
        options: Options of a parser with :func:`add_outputs`.

    Raises:
        FileExistsError: A file that is not where results are by default exists.
    """
    for name, usual in options.usual.items():
        path = getattr(options, name, None)
        if path != usual:
            expect_new(f'--{name}', path, options.force)
