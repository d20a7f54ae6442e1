"""The code behind ``tools/train.py``: MMAction2's arguments, and a config's ``prepare`` done first."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from mmaction.registry import RUNNERS
from mmengine.config import Config
from mmengine.runner import Runner

import mmkd_video  # noqa: F401  the stack must be mended before a runner is built
from mmkd_video.cli.arguments import checked_numbers
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.interrupts import told_when_ended
from mmkd_video.cli.mistakes import EXITS, told_in_one_line
from mmkd_video.core.files.new import expect_new
from mmkd_video.hooks import CheckpointGuardHook, FiniteHook, ReproducibleHook, StopSignalHook
from mmkd_video.hooks.training_clock import TrainingClock
from mmkd_video.recognizers.budget import settle_budget
from mmkd_video.recognizers.config import merge_cfg_options, read_config
from mmkd_video.recognizers.config_keys import check_config
from mmkd_video.workflows.train.learning_rate import prepare_rate
from mmkd_video.workflows.train.prepare import own_rank, prepare, publish, teacher_settings

AMP_WRAPPERS = ('OptimWrapper', 'AmpOptimWrapper')


def main(arguments: Sequence[str] | None = None) -> None:
    """Train as the command line says."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    os.environ.setdefault('LOCAL_RANK', str(options.local_rank))
    with told_when_ended(parser, '--resume goes on from the last checkpoint, if there is one'):
        with told_in_one_line(parser, building=lambda: True):
            if own_rank(options.launcher) == 0:
                expect_new('--publish', options.publish)
            config = merge_options(read_config(options.config, settle=False), options)
            check_config(config)
            settle_budget(config)
            settings = teacher_settings(config)  # what was asked for; the learning rate that is chosen follows from it
            prepare(config, allowed=not options.no_prepare)
            prepare_rate(config, allowed=not options.no_prepare)
        train(config, parser, options.signal_grace)
        if options.publish and own_rank(config.launcher) == 0:
            publish(Path(config.work_dir), Path(options.publish), settings)


def train(config: Config, parser: argparse.ArgumentParser, signal_grace: float | None = None) -> None:
    """Train to the end; a mistake in the config ends the command with one line.

    The training is safe to kill and to resume also where its config does not inherit ``configs/_base_/mmkd.py``, as
    those of teachers do not.

    Args:
        config: The whole config.
        parser: Of the command.
        signal_grace: Seconds for a last checkpoint after SIGTERM; what the config or the hook says by default.
    """
    clock = TrainingClock()
    with told_in_one_line(parser, building=lambda: not clock.started):
        runner = build_runner(config)
        runner.register_hook(clock)
        for hook in (ReproducibleHook, CheckpointGuardHook, FiniteHook, StopSignalHook):
            if not any(isinstance(each, hook) for each in runner.hooks):
                runner.register_hook(hook())
        for hook in runner.hooks:
            if isinstance(hook, StopSignalHook) and signal_grace is not None:
                hook.grace = signal_grace
        runner.train()


def build_runner(config: Config) -> Runner:
    """Build MMEngine's runner, or the one that ``runner_type`` names.

    Args:
        config: The whole config.
    """
    return RUNNERS.build(config) if 'runner_type' in config else Runner.from_cfg(config)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog='train.py',
        description='Train a recognizer, alone or distilled.',
        epilog='SIGTERM and ctrl-C end the training after its step, with a checkpoint from which --resume goes on; '
        + EXITS,
    )
    parser.add_argument('config', help='of the training')
    parser.add_argument('--work-dir', help="for checkpoints and logs; work_dirs/<config's name> by default")
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
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
    return checked_numbers(parser)


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """Add MMAction2's ``--launcher`` and the rank that old launchers pass."""
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='who starts ranks'
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def default_work_dir(config: Config, given: str | None, path: str) -> str:
    """Return the work dir: the command line's, else the config's, else one named after the config."""
    return given or config.get('work_dir') or os.path.join('work_dirs', Path(path).stem)


def merge_options(config: Config, options: argparse.Namespace) -> Config:
    """Merge the command line into a config; ``--cfg-options`` come last and win.

    Args:
        config: As read; it is changed.
        options: Of :func:`build_parser`.

    Raises:
        ValueError: An argument does not go with the config.
    """
    config.launcher = options.launcher
    config.work_dir = default_work_dir(config, options.work_dir, options.config)
    if options.no_validate:
        config.val_cfg = config.val_dataloader = config.val_evaluator = None
    if options.amp:
        _use_amp(config)
    if options.resume is not None:
        config.resume = True
        config.load_from = None if options.resume == 'auto' else options.resume
    if options.auto_scale_lr:
        if 'base_batch_size' not in (config.get('auto_scale_lr') or {}):
            raise ValueError('--auto-scale-lr: the config has no auto_scale_lr = dict(base_batch_size=...); add it')
        config.auto_scale_lr.enable = True
    _merge_randomness(config, options)
    if options.cfg_options:
        merge_cfg_options(config, options.cfg_options)
    return config


def _use_amp(config: Config) -> None:
    wrapper = config.optim_wrapper.get('type', 'OptimWrapper')
    if wrapper not in AMP_WRAPPERS:
        raise ValueError(f'--amp: got optim_wrapper.type={wrapper!r}; expected one of {", ".join(AMP_WRAPPERS)}')
    config.optim_wrapper.type = 'AmpOptimWrapper'
    config.optim_wrapper.setdefault('loss_scale', 'dynamic')


def _merge_randomness(config: Config, options: argparse.Namespace) -> None:
    given = dict(seed=options.seed, diff_rank_seed=options.diff_rank_seed, deterministic=options.deterministic)
    given = {key: value for key, value in given.items() if value not in (None, False)}
    config.randomness = {'seed': None, **dict(config.get('randomness') or {}), **given}


if __name__ == '__main__':
    main()
