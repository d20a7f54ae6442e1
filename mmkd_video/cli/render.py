"""The command line of ``tools/data/render_motion_clips.py``."""

import argparse
from collections.abc import Sequence

from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.interrupts import exit_on_sigterm
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.command_line import program_of
from mmkd_video.workflows.train.clips import DOMAIN_NAMES, MOTION_NAMES, prepare_motion_clips


def main(args: Sequence[str] | None = None) -> None:
    """Parse the command line and render."""
    parser = build_parser()
    options = parser.parse_args(args)
    exit_on_sigterm()
    with exit_on_error(parser, resumes=True):
        settings = dict(seed=options.seed, workers=options.workers, domain=options.domain, motions=options.motions)
        prepare_motion_clips(options.root, **settings)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('render'), description='Render the embedded motion clips.', epilog=EXITS
    )
    parser.add_argument('root', nargs='?', default='data/motion_clips', help='folder of the data set')
    parser.add_argument('--seed', type=int, default=0, help='of the pictures')
    parser.add_argument('--workers', type=int, default=2, help='threads that render')
    parser.add_argument(
        '--domain', choices=DOMAIN_NAMES, default='source', help='target: the same motions, filmed in another way'
    )
    motions = (
        'single: eight motions; pairs: 32 of one or two at once, for few-shot learning; together: two sprites and two '
        'labels; sequences: one motion after another, with a label for every frame'
    )
    parser.add_argument('--motions', choices=MOTION_NAMES, default='single', help=motions)
    return checked_options(parser)
