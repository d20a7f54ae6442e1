"""The trials of a comparison: each a training with one arm, settings and seed, in a folder of its own."""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from mmengine.config import Config
from mmengine.logging import print_log

from mmkd_video.core.plain_data import Anything, Table, Whole, read_json
from mmkd_video.workflows.compare.arms import Arm
from mmkd_video.workflows.compare.grid import Point
from mmkd_video.workflows.train.run_folder import RunFolder

TUNING, EVALUATION, TEACHER = 'tuning', 'evaluation', 'teacher'
LEDGER = 'trials.jsonl'
_TRIAL, _SEED = Table(Anything(), most=50), Whole(0, 1 << 63)
MACHINE = ('device', 'threads', 'cpu')  # what rounding depends on
RUN_BY = (  # what MMEngine's runner reads of a config; names that configs keep for themselves do not make a run another
    'default_scope',
    'custom_imports',
    'model',
    'train_dataloader',
    'val_dataloader',
    'test_dataloader',
    'train_cfg',
    'val_cfg',
    'test_cfg',
    'val_evaluator',
    'test_evaluator',
    'auto_scale_lr',
    'optim_wrapper',
    'param_scheduler',
    'default_hooks',
    'custom_hooks',
    'data_preprocessor',
    'load_from',
    'env_cfg',
    'log_processor',
    'log_level',
    'visualizer',
    'randomness',
    'runner_type',
    'activation_checkpointing',
    'compile',
    'stages',
)


def run_config(config: Config, seed: int) -> Config:
    """Return the config of a run.

    Args:
        config: The distillation or the plain student; it is not changed.
        seed: Seed of the run.
    """
    whole = config.to_dict()
    run = Config({key: whole[key] for key in RUN_BY if key in whole}, filename=config.filename)
    run.randomness = dict(dict(run.get('randomness') or {}), seed=seed)
    return run


def run_path(work_dir: Path, folder: str, seed: int, slug: str = '') -> Path:
    """Return the folder of a run.

    Args:
        work_dir: Work dir of the comparison.
        folder: Folder of the arm.
        seed: Seed of the run.
        slug: Short name of the point of a grid; empty for the recipe as shipped.
    """
    return Path(work_dir, folder, *([slug] if slug else []), f'seed{seed}')


@dataclass(frozen=True)
class Run:
    """One trial.

    Args:
        arm: Its name.
        label: Label of the settings.
        settings: Values by dotted key that differ from what is shipped.
        seed: Seed; None for a teacher.
        purpose: ``TUNING``, ``EVALUATION`` or ``TEACHER``.
        folder: Folder of the run.
    """

    arm: str
    label: str
    settings: Mapping[str, Any]
    seed: int | None
    purpose: str
    folder: RunFolder

    @property
    def title(self) -> str:
        """Name of the run, for messages."""
        if self.seed is None:
            return self.arm
        return ', '.join([self.arm, *([self.label] if self.settings else []), f'seed {self.seed}'])

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits that it is scored on."""
        return self.folder.splits


def make_run(arm: Arm, point: Point, seed: int, purpose: str, work_dir: Path) -> Run:
    """Return the trial of an arm at a point.

    A tuning trial is scored on validation alone: nothing of test exists when the choice is made.

    Args:
        arm: Arm to train.
        point: Its settings.
        seed: Seed of the run.
        purpose: ``TUNING`` or ``EVALUATION``.
        work_dir: Work dir of the comparison.
    """
    config = arm.training(point.applied(arm.config))
    has_val = config.get('val_dataloader') is not None
    splits = ('val',) if purpose == TUNING else (*(('val',) if has_val else ()), 'test')
    folder = RunFolder(run_path(work_dir, arm.folder, seed, point.slug), run_config(config, seed), splits=splits)
    return Run(arm.name, point.label, dict(point.settings), seed, purpose, folder)


def describe(run: Run, result: Mapping | None, metric: str | None) -> dict:
    """Return one line of the list of all trials.

    Args:
        run: The trial.
        result: Result of the run; None where it failed.
        metric: Metric to compare.
    """
    found = dict(result or {})
    key = metric or ''
    return dict(
        arm=run.arm,
        settings=dict(run.settings),
        seed=run.seed,
        purpose=run.purpose,
        val=(found.get('val') or {}).get(key),
        test=(found.get('metrics') or {}).get(key),
        seconds=found.get('seconds'),
        cpu_seconds=found.get('cpu_seconds'),
        **{key: found.get(key) for key in MACHINE},
        failed=result is None,
        run=str(run.folder.path),
    )


class Ledger:
    """Every trial that was ever run in a work dir, one a line; what is written stays, also when a folder is deleted.

    Args:
        work_dir: Work dir of the comparison.
    """

    def __init__(self, work_dir: Path) -> None:
        self.path = work_dir / LEDGER
        lines = self.path.read_bytes().splitlines() if self.path.is_file() else []
        self.trials: list[dict] = []
        for number, line in enumerate(lines, 1):
            trial = _trial(line, f'{self.path}:{number}')
            if trial is not None and trial not in self.trials:
                self.trials.append(trial)

    def add(self, trial: dict) -> None:
        """Record a trial, once; with its folder relative to the work dir, so that it holds on any machine.

        Args:
            trial: Trial, as :func:`describe` gives it.
        """
        if 'run' in trial:
            trial = dict(trial, run=os.path.relpath(trial['run'], self.path.parent))
        if trial in self.trials:
            return
        self.trials.append(trial)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, 'a+b') as file:  # other processes may be at work here, so lines are added, never rewritten
            if file.tell() and not _ends_with_newline(file):
                file.write(b'\n')
            file.write(json.dumps(trial).encode() + b'\n')
            file.flush()
            os.fsync(file.fileno())

    def seeds(self, purpose: str) -> set[int]:
        """Return the seeds that were run for a purpose."""
        return {trial['seed'] for trial in self.trials if trial.get('purpose') == purpose}


def _ends_with_newline(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b'\n'


def _trial(line: bytes, where: str) -> dict | None:
    """Return one trial; None, and a warning, for what is none, such as half a line of a writer that was killed."""
    if not line.strip():
        return None
    try:
        trial = read_json(line, _TRIAL, where, longest=1 << 20)
        if trial.get('seed') is not None:  # a teacher has none
            _SEED.check(trial['seed'], f'{where}.seed')
    except ValueError as error:
        print_log(f'{error}; this trial is left out of the list', logger='current', level=logging.WARNING)
        return None
    return trial


def scores(results: Mapping[Path, dict], runs: Sequence[Run], split: str, metric: str) -> list[float | None]:
    """Return the scores of runs; None for those that are missing.

    Args:
        results: Results of finished runs, by their folder.
        runs: Runs whose scores are wanted.
        split: ``'val'`` or ``'test'``.
        metric: Metric to compare.
    """
    key = 'metrics' if split == 'test' else split
    return [(results.get(run.folder.path) or {}).get(key, {}).get(metric) for run in runs]
