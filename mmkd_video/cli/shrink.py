"""The code behind ``tools/shrink.py``: smaller students for a budget of operations."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import mmkd_video  # noqa: F401  the stack must be mended before a model is built
from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.command_line import program_of
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.new import expect_new
from mmkd_video.recognizers.config import read_config
from mmkd_video.workflows.shrink.axes import Shrinkable
from mmkd_video.workflows.shrink.search import WEIGHT_AXES, Proposal, as_table, pick, propose


def main(arguments: Sequence[str] | None = None) -> list[Proposal]:
    """Propose as the command line says.

    Returns:
        The proposals, the balanced one first.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    with exit_on_error(parser):
        expect_new('--out', options.out, options.force)
        config = read_config(options.config, options.cfg_options)
        student = Shrinkable(config)
        proposals = propose(student, options.gflops)
        print(as_table(student, proposals))
        if not set(student.axes) & set(WEIGHT_AXES):
            print('this model has no argument for its width or depth, so that its parameters stay as many')
        if options.out:
            chosen = pick(proposals, options.pick)
            write_atomically(student.with_shape(chosen.shape).pretty_text.encode(), Path(options.out))
            print(f'\nwrote {options.out}: {chosen.name}, {chosen.gflops:.4f} GFLOPs')
            if student.loses_weights(chosen.shape):
                print(
                    'it begins from scratch: the pretrained weights of the given config are of another width or depth'
                )
    return proposals


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('shrink'),
        description='Propose smaller students for a budget: width, depth, frames and size, one by one and balanced; '
        'balanced, width and depth take their share of the saving, in parameters too, and frames and size the rest. '
        'All cost about the same; which one is the most accurate, tools/compare.py tells.',
        epilog=EXITS,
    )
    parser.add_argument(
        'config', help="a plain config, 'mmaction::recognition/...', or a distillation, whose student is shrunk"
    )
    parser.add_argument('--gflops', type=float, required=True, help='budget of one forward pass; multiply-add is one')
    parser.add_argument('--out', metavar='FILE.py', help='write the config of the picked proposal')
    parser.add_argument('--pick', default='balanced', help='which proposal --out writes; balanced by default')
    parser.add_argument('--force', action='store_true', help='overwrite the file of --out')
    add_cfg_options(parser)
    return checked_options(parser)
