"""The program that :class:`~mmkd_video.workflows.train.run_folder.RunFolder` starts for each run."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import mmkd_video  # noqa: F401  the stack must be mended before a runner is built
from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.mistakes import exit_on_mistake
from mmkd_video.workflows.train.trial import run_trial


def main(arguments: Sequence[str] | None = None) -> None:
    """Train in a run's folder, and score."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    with exit_on_mistake(parser):
        run_trial(options.run, checkpoint=options.checkpoint, splits=options.score, teacher=options.teacher_name)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(prog='trial.py', description='Train in the folder of a run, and score.')
    parser.add_argument('run', type=Path, help='folder with config.py')
    parser.add_argument('--checkpoint', type=Path, help='test this one; train nothing')
    parser.add_argument('--teacher-name', help='score this teacher of the config; train nothing')
    parser.add_argument('--score', nargs='*', choices=('val', 'test'), default=['test'], help='on what, if at all')
    return checked_options(parser)


if __name__ == '__main__':
    main()
