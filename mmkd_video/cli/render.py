"""The code behind ``tools/data/render_motion_clips.py``."""

import argparse
from collections.abc import Sequence

from mmkd_video.cli.arguments import checked_numbers
from mmkd_video.cli.interrupts import end_in_order_at_sigterm
from mmkd_video.cli.mistakes import EXITS, ends_in_one_line
from mmkd_video.core.progress_bar import ProgressBar, at_each_tenth
from mmkd_video.datasets import render_motion_clips


def prepare_motion_clips(root: str, seed: int = 0, workers: int = 2) -> bool:
    """Render or check the data set in ``root`` and show how far it is.

    Returns:
        True when clips were rendered, False when the folder was complete already.

    Raises:
        FileExistsError: the folder holds something else, or was rendered with other settings.
        ValueError: clips are missing or changed.
    """
    with ProgressBar('rendering', 'clips', at_each_tenth) as progress:
        rendered = render_motion_clips(root, seed, workers=workers, progress=progress)
    print(f'{root}: {"rendered" if rendered else "complete, nothing to do"}')
    return rendered


def main(args: Sequence[str] | None = None) -> None:
    """Parse the command line and render."""
    parser = argparse.ArgumentParser(description='Render the embedded motion clips.', epilog=EXITS)
    parser.add_argument('root', nargs='?', default='data/motion_clips', help='folder of the data set')
    parser.add_argument('--seed', type=int, default=0, help='of the pictures')
    parser.add_argument('--workers', type=int, default=2, help='threads that render')
    options = checked_numbers(parser).parse_args(args)
    end_in_order_at_sigterm()
    with ends_in_one_line(parser, resumes=True):
        prepare_motion_clips(options.root, options.seed, options.workers)
