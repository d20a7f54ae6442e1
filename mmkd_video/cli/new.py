"""The code behind ``mmkd new``: a distillation config for a student and a teacher."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import mmkd_video  # noqa: F401  the stack must be mended before a model is built
from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.command_line import program_of
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.new import expect_new
from mmkd_video.workflows.new.recipe import Recipe, write_recipe


def main(arguments: Sequence[str] | None = None) -> Recipe:
    """Write the config that the command line asks for.

    Returns:
        What was written.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    out = Path(options.out or f'{Path(options.teacher).stem}_to_{Path(options.student).stem}.py')
    with exit_on_error(parser):
        expect_new('--out', out, options.force)
        recipe = write_recipe(
            options.student, options.teacher, out, checkpoint=options.checkpoint, data_root=options.data_root
        )
        write_atomically(recipe.text.encode(), out)
        print('\n'.join([*recipe.summary, f'wrote {out}; train it with: mmkd train {out}']))
    return recipe


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('new'),
        description='Write a commented config in which a teacher teaches a student: the block that is added to the '
        "student's own config, features that could be compared, and what a step will cost.",
        epilog=EXITS,
    )
    side = "plain config of the {}, or 'mmaction::recognition/...'"
    parser.add_argument('--student', required=True, metavar='CONFIG', help=side.format('student'))
    parser.add_argument('--teacher', required=True, metavar='CONFIG', help=side.format('teacher'))
    parser.add_argument(
        '--checkpoint',
        metavar='FILE',
        help="path or URL of the teacher's weights; by default what the model zoo gives for a config of MMAction2",
    )
    parser.add_argument('--data-root', metavar='D', help='folder of your own clips, with train.txt, val.txt, test.txt')
    parser.add_argument('--out', metavar='FILE.py', help='by default <teacher>_to_<student>.py, here')
    parser.add_argument('--force', action='store_true', help='overwrite the file of --out')
    return checked_options(parser)
