"""The command line of ``tools/prune.py``: see :mod:`mmkd_video.workflows.deploy.prune`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import mmkd_video  # noqa: F401  the stack must be mended before a model is built
from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.command_line import program_of
from mmkd_video.pruning import PruningHistory
from mmkd_video.pruning.pruner import SCOPES, TARGETS
from mmkd_video.pruning.units import CRITERIA
from mmkd_video.recognizers.config import read_config
from mmkd_video.workflows.deploy.prune import prune_student


def main(arguments: Sequence[str] | None = None) -> PruningHistory:
    """Prune as the command line says.

    Returns:
        The history of the pruned model.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    target = {kind: value for kind in TARGETS if (value := getattr(options, f'target_{kind}')) is not None}
    with exit_on_error(parser):
        config = read_config(options.config, options.cfg_options)
        return prune_student(
            config,
            options.checkpoint,
            Path(options.out),
            target,
            criterion=options.criterion,
            scope=options.scope,
            keep=options.keep,
            round_to=options.round_to,
            max_ratio=options.max_ratio,
            seed=options.seed,
            clips=options.clips,
            rewritten=bool(options.cfg_options),
            force=options.force,
        )


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('prune'),
        description='Remove the least important channels of a trained student. Accuracy suffers until it is trained '
        'on: take the config that is written as the student of a distillation, or train it as it is.',
        epilog=EXITS,
    )
    parser.add_argument('config', help='of the student, or of its distillation')
    parser.add_argument('checkpoint', help='of the student')
    targets = parser.add_mutually_exclusive_group(required=True)
    for kind, what in zip(TARGETS, ('parameters', 'operations', 'time (measured here)'), strict=True):
        targets.add_argument(f'--target-{kind}', type=float, metavar='FRACTION', help=f'of the {what} that is left')
    parser.add_argument('--criterion', choices=CRITERIA, default='magnitude', help='which channels go (magnitude)')
    parser.add_argument('--scope', choices=SCOPES, default='global', help='where channels compete (global)')
    parser.add_argument('--keep', nargs='+', default=[], metavar='LAYER', help='layers that stay whole; * is allowed')
    parser.add_argument('--round-to', type=int, default=1, metavar='N', help='leave multiples of N channels (1)')
    parser.add_argument('--max-ratio', type=float, default=0.9, help='the most that a layer may lose (0.9)')
    parser.add_argument('--clips', type=int, default=64, help='training clips for --criterion taylor (64)')
    parser.add_argument('--seed', type=int, default=0, help='of --criterion random (0)')
    parser.add_argument('--out', required=True, metavar='FILE.pth', help='the pruned checkpoint; its config: FILE.py')
    parser.add_argument('--force', action='store_true', help='replace existing files')
    add_cfg_options(parser)
    return checked_options(parser)


if __name__ == '__main__':
    main()
