"""A training from its config to the checkpoint: preparations, and safety when it is killed and resumed."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmaction.registry import RUNNERS
from mmengine.config import Config
from mmengine.runner import Runner

from mmkd_video.core.files.new import expect_new
from mmkd_video.core.mistakes import WrongValueError, as_settings_errors
from mmkd_video.hooks import CheckpointGuardHook, FiniteHook, ReproducibleHook, StopSignalHook
from mmkd_video.hooks.training_clock import TrainingClock
from mmkd_video.hooks.work_dir_lock import hold_work_dir, release_work_dir
from mmkd_video.recognizers.budget import set_epochs_from_budget
from mmkd_video.recognizers.class_matching import name_classes
from mmkd_video.recognizers.config import merge_cfg_options
from mmkd_video.recognizers.config_keys import check_config
from mmkd_video.workflows.train.learning_rate import prepare_rate
from mmkd_video.workflows.train.lost_process import told_of_a_lost_process
from mmkd_video.workflows.train.prepare import own_rank, prepare, publish, teacher_settings

AMP_WRAPPERS = ('OptimWrapper', 'AmpOptimWrapper')
NEWEST = 'auto'


def run_training(
    config: Config,
    *,
    may_prepare: bool = True,
    publish_as: str | None = None,
    signal_grace: float | None = None,
) -> None:
    """Make what a training needs beforehand, train to the end, and publish the last checkpoint.

    Args:
        config: Config from :func:`merge_settings`; it is changed.
        may_prepare: Whether clips may be rendered, teachers trained and learning rates tried first.
        publish_as: File that the last checkpoint becomes, weights only; None: it is not published.
        signal_grace: Seconds for a last checkpoint after SIGTERM; what the config or the hook says by default.

    Raises:
        SettingsError: The config is wrong, which shows before the first step.
        FileExistsError: ``publish_as`` is there.
        FileNotFoundError: Something is missing that may not be prepared.
        ValueError: A setting does not go with the config.
    """
    publishes = bool(publish_as) and own_rank(config.launcher) == 0
    with as_settings_errors():
        if publishes:
            expect_new('--publish', publish_as)
        check_config(config)
        set_epochs_from_budget(config)
        wanted = teacher_settings(config)  # what was asked for; the learning rate that is chosen follows from it
        prepare(config, allowed=may_prepare)
        prepare_rate(config, allowed=may_prepare)
    train(config, signal_grace=signal_grace)
    if publishes:
        publish(Path(config.work_dir), Path(publish_as), wanted)


def train(config: Config, *, signal_grace: float | None = None) -> None:
    """Train to the end.

    The training is safe to kill and to resume also where its config does not inherit ``configs/_base_/mmkd.py``, as
    those of teachers do not.

    Args:
        config: Whole config of the training.
        signal_grace: Seconds for a last checkpoint after SIGTERM; what the config or the hook says by default.

    Raises:
        SettingsError: The config is wrong, which shows before the first step; later errors are raised as they are.
        BlockingIOError: Another process trains in the work dir.
        RuntimeError: Another process of this training has ended.
    """
    clock = TrainingClock()
    with as_settings_errors(until=lambda: clock.started):
        if own_rank(config.get('launcher') or 'none') == 0:
            hold_work_dir(config.work_dir)  # MMEngine writes there while it builds
        try:
            runner = _build_guarded(config, clock, signal_grace)
            with told_of_a_lost_process(config.work_dir):
                runner.train()
        finally:
            release_work_dir(config.work_dir)


def _build_guarded(config: Config, clock: TrainingClock, signal_grace: float | None) -> Runner:
    runner = build_runner(config)
    runner.register_hook(clock)
    for hook in (ReproducibleHook, CheckpointGuardHook, FiniteHook, StopSignalHook):
        if not any(isinstance(each, hook) for each in runner.hooks):
            runner.register_hook(hook())
    for hook in runner.hooks:
        if isinstance(hook, StopSignalHook) and signal_grace is not None:
            hook.grace = signal_grace
    return runner


def build_runner(config: Config) -> Runner:
    """Build MMEngine's runner, or the one that ``runner_type`` names.

    Args:
        config: Whole config of the training or test.
    """
    name_classes(config)
    return RUNNERS.build(config) if 'runner_type' in config else Runner.from_cfg(config)


def default_work_dir(config: Config, given: str | None, path: str) -> str:
    """Return the work dir: the given one, else the config's, else one named after the config.

    Args:
        config: Whole config.
        given: Work dir that was asked for; None: none was.
        path: Path of the config.
    """
    return given or config.get('work_dir') or os.path.join('work_dirs', Path(path).stem)


def merge_settings(
    config: Config,
    *,
    path: str,
    work_dir: str | None = None,
    launcher: str = 'none',
    resume: str | None = None,
    validate: bool = True,
    amp: bool = False,
    auto_scale_lr: bool = False,
    seed: int | None = None,
    diff_rank_seed: bool = False,
    deterministic: bool = False,
    cfg_options: Mapping[str, Any] | None = None,
) -> Config:
    """Merge the settings of one training into a config; ``cfg_options`` come last and win.

    Args:
        config: Config as it was read; it is changed.
        path: Path of the config.
        work_dir: Folder of checkpoints and logs; the config's own or one named after it by default.
        launcher: Name of what starts ranks, as MMEngine calls it.
        resume: Checkpoint from which to go on, or ``'auto'`` for the newest whole one in the work dir; None: from the
            beginning.
        validate: Whether to keep the config's validation.
        amp: Whether to train in mixed precision.
        auto_scale_lr: Whether to scale the learning rate with the batch size.
        seed: Seed instead of the config's.
        diff_rank_seed: Whether every rank gets another seed.
        deterministic: Whether CUDA kernels are deterministic.
        cfg_options: Settings that replace those of the config, by dotted key.

    Raises:
        KeyError: The config has no place for one of ``cfg_options``.
        ValueError: A setting does not go with the config.
    """
    config.launcher = launcher
    config.work_dir = default_work_dir(config, work_dir, path)
    if not validate:
        config.val_cfg = config.val_dataloader = config.val_evaluator = None
    if amp:
        _use_amp(config)
    if resume is not None:
        # With nothing to go on from yet, a training begins as without this option: with the weights of load_from.
        config.resume = resume != NEWEST or not config.get('load_from') or _has_checkpoints(Path(config.work_dir))
        if config.resume:
            config.load_from = None if resume == NEWEST else resume
    if auto_scale_lr:
        if 'base_batch_size' not in (config.get('auto_scale_lr') or {}):
            raise WrongValueError(
                '--auto-scale-lr: the config has no auto_scale_lr = dict(base_batch_size=...); add it'
            )
        config.auto_scale_lr.enable = True
    given = dict(seed=seed, diff_rank_seed=diff_rank_seed, deterministic=deterministic)
    given = {key: value for key, value in given.items() if value not in (None, False)}
    config.randomness = {'seed': None, **dict(config.get('randomness') or {}), **given}
    merge_cfg_options(config, cfg_options)
    return config


def _has_checkpoints(work_dir: Path) -> bool:
    return (work_dir / 'last_checkpoint').exists() or any(work_dir.glob('*.pth'))


def _use_amp(config: Config) -> None:
    wrapper = config.optim_wrapper.get('type', 'OptimWrapper')
    if wrapper not in AMP_WRAPPERS:
        raise WrongValueError(f'--amp: got optim_wrapper.type={wrapper!r}; expected one of {", ".join(AMP_WRAPPERS)}')
    config.optim_wrapper.type = 'AmpOptimWrapper'
    config.optim_wrapper.setdefault('loss_scale', 'dynamic')
