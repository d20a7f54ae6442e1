"""The command line of ``tools/baseline.py``."""

import argparse
from collections.abc import Sequence

import mmkd_video  # noqa: F401  the stack must be mended before a config with custom imports is read
from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.command_line import program_of
from mmkd_video.workflows.train.flow_baseline import score_source

FOLDS = 'folds'


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the scores of a simple reference on a folder's lists, or on its folds."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    with exit_on_error(parser):
        scores = score_source(
            options.source, prefix=options.prefix, folds=options.folds, cfg_options=options.cfg_options
        )
        print(
            'histograms of optical flow and logistic regression: a network that is not above this has learnt too little'
        )
        print('\n'.join(map(str, scores)))


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('baseline'),
        description='A simple reference for a data set: histograms of optical flow and logistic regression. It takes a '
        'few seconds for a hundred videos; a network should come above it.',
        epilog=EXITS,
    )
    parser.add_argument(
        'source', help='folder with train.txt, val.txt, test.txt (one `path label` a line), or a config'
    )
    parser.add_argument('--prefix', default='', help='of a folder: where in it the paths of the lists begin')
    parser.add_argument(
        '--folds',
        nargs='?',
        const=FOLDS,
        metavar='FOLDER',
        help='train and test on every fold<k>_train.txt and fold<k>_test.txt of a folder in the source; '
        f'{FOLDS!r} by default',
    )
    add_cfg_options(parser)
    return checked_options(parser)


if __name__ == '__main__':
    main()
