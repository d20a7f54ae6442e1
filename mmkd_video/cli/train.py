"""The command line of ``tools/train.py``: MMAction2's arguments, and a config's ``prepare`` done first."""

import argparse
import os
from collections.abc import Sequence

import mmkd_video  # noqa: F401  the stack must be mended before a runner is built
from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.interrupts import exit_on_interrupt
from mmkd_video.cli.mistakes import EXITS, exit_on_mistake
from mmkd_video.core.command_line import program_of
from mmkd_video.core.files.new import expect_new
from mmkd_video.core.mistakes import as_settings_errors
from mmkd_video.recognizers.config import read_config
from mmkd_video.workflows.train.prepare import own_rank
from mmkd_video.workflows.train.training import NEWEST, merge_settings, run_training


def main(arguments: Sequence[str] | None = None) -> None:
    """Train as the command line says."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    os.environ.setdefault('LOCAL_RANK', str(options.local_rank))
    hint = '--resume goes on from the last checkpoint, if there is one'
    with exit_on_interrupt(parser, hint), exit_on_mistake(parser):
        with as_settings_errors():
            if own_rank(options.launcher) == 0:
                expect_new('--publish', options.publish)
            config = merge_settings(
                read_config(options.config, with_budget=False),
                path=options.config,
                work_dir=options.work_dir,
                launcher=options.launcher,
                resume=options.resume,
                validate=not options.no_validate,
                amp=options.amp,
                auto_scale_lr=options.auto_scale_lr,
                seed=options.seed,
                diff_rank_seed=options.diff_rank_seed,
                deterministic=options.deterministic,
                cfg_options=options.cfg_options,
            )
        run_training(
            config,
            may_prepare=not options.no_prepare,
            publish_as=options.publish,
            signal_grace=options.signal_grace,
        )


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('train'),
        description='Train a recognizer, alone or distilled.',
        epilog='SIGTERM and ctrl-C end the training after its step, with a checkpoint from which --resume goes on; '
        + EXITS,
    )
    parser.add_argument('config', help='of the training')
    parser.add_argument('--work-dir', help="for checkpoints and logs; work_dirs/<config's name> by default")
    parser.add_argument(
        '--resume',
        nargs='?',
        const=NEWEST,
        metavar='CHECKPOINT',
        help='go on from a checkpoint, or from the newest whole one in the work dir',
    )
    parser.add_argument(
        '--signal-grace', type=float, metavar='SECONDS', help='for a last checkpoint after SIGTERM or ctrl-C; 25'
    )
    parser.add_argument('--no-prepare', action='store_true', help='neither render clips nor train the teacher first')
    parser.add_argument(
        '--publish', metavar='FILE', help='after training: the last checkpoint, weights only, under this name'
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument('--no-validate', action='store_true', help='leave validation out')
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the learning rate with the batch size')
    parser.add_argument('--seed', type=int, help="instead of the config's")
    parser.add_argument('--diff-rank-seed', action='store_true', help='another seed on every rank')
    parser.add_argument('--deterministic', action='store_true', help='deterministic CUDA kernels')
    add_cfg_options(parser)
    add_launcher(parser)
    return checked_options(parser)


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """Add MMAction2's ``--launcher`` and the rank that old launchers pass."""
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='who starts ranks'
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


if __name__ == '__main__':
    main()
