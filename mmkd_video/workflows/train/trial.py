"""One run of a comparison, in a process of its own: train, then score the last checkpoint on test."""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from mmengine.config import Config

import mmkd_video  # noqa: F401  the stack must be mended before a runner is built
from mmkd_video.cli.train import build_runner
from mmkd_video.cli.train import train as train_to_the_end
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.evaluation import ClipScores
from mmkd_video.hooks.training_clock import CPU_META_KEY, META_KEY
from mmkd_video.recognizers.complexity import measure_complexity
from mmkd_video.recognizers.plain_student import plain_student
from mmkd_video.workflows.deploy.student import StudentCheckpoint
from mmkd_video.workflows.train.prepare import find_last

CONFIG = 'config.py'
RESULT = 'result.json'
SCORES = 'test_scores.npz'


def main(arguments: Sequence[str] | None = None) -> None:
    """Train (or go on) in a run's folder as its ``config.py`` says, score, and write ``result.json``."""
    parser = argparse.ArgumentParser(prog='trial.py', description=__doc__)
    parser.add_argument('run', type=Path, help='folder with config.py')
    parser.add_argument('--checkpoint', type=Path, help='test this one; train nothing')
    parser.add_argument('--score', nargs='+', choices=('val', 'test'), default=['test'], help='on what')
    options = parser.parse_args(arguments)
    run = options.run
    config = Config.fromfile(run / CONFIG)
    config.work_dir, config.launcher = str(run), 'none'
    if options.checkpoint is None:
        train(config, parser)
    checkpoint = options.checkpoint or find_last(run)
    result = score(plain_student(config), checkpoint, run / 'test', options.score)
    write_atomically(json.dumps(result, indent=1).encode(), run / RESULT)


def train(config: Config, parser: argparse.ArgumentParser) -> None:
    """Train to the end, from the newest checkpoint in the work dir if there is one, else from ``load_from``.

    Args:
        config: Of the run; it is changed.
        parser: Of the command, which a mistake in the config ends.
    """
    if Path(config.work_dir, 'last_checkpoint').is_file():
        config.load_from = None
    config.resume = config.get('load_from') is None
    train_to_the_end(config, parser)


def score(config: Config, checkpoint: Path, work_dir: Path, splits: Sequence[str] = ('test',)) -> dict:
    """Score a checkpoint with a plain config.

    Args:
        config: Of the recognizer alone; it is changed.
        checkpoint: Of its weights.
        work_dir: For the test's log. What the model says about each clip of test is written beside it.
        splits: ``'val'``, ``'test'`` or both.

    Returns:
        ``metrics`` of test and ``val``, as MMAction2 names them, of the splits that were asked for; ``params``,
        ``gflops`` (or None), ``seconds`` and ``cpu_seconds`` of training (or None), where it ran (``device``,
        ``threads``, ``cpu``), and the ``checkpoint``'s path.
    """
    trained = StudentCheckpoint.read(checkpoint)
    trained.fit_config(config)
    meta = trained.meta
    del trained  # its weights would stay in memory while the model is tested
    config.work_dir, config.load_from, config.resume = str(work_dir), str(checkpoint), False
    config.experiment_name = f'test_{work_dir.parent.parent.name}_{work_dir.parent.name}'
    runner = build_runner(config)
    found: dict = {}
    if 'val' in splits:
        found['val'] = _plain(runner.val())
    if 'test' in splits:
        clips = ClipScores(work_dir.parent / SCORES, runner.test_dataloader.dataset)
        runner.test_loop.evaluator.metrics.append(clips)
        found['metrics'] = _plain(runner.test())
    loader = runner.test_dataloader if 'test' in splits else runner.val_dataloader
    params, gflops = measure_complexity(runner.model, loader.dataset[0]['inputs'])
    return dict(
        **found,
        params=params,
        gflops=gflops,
        **training_time(meta),
        device=next(runner.model.parameters()).device.type,
        threads=torch.get_num_threads(),
        cpu=os.environ.get('ATEN_CPU_CAPABILITY') or torch.backends.cpu.get_cpu_capability(),
        checkpoint=str(checkpoint),
    )


def training_time(meta: Mapping) -> dict[str, float | None]:
    """Return how long the training that wrote a checkpoint took.

    Args:
        meta: Of its checkpoint.

    Returns:
        ``seconds`` of the wall clock and ``cpu_seconds``; None where they were not counted.
    """
    return dict(seconds=meta.get(META_KEY), cpu_seconds=meta.get(CPU_META_KEY))


def _plain(metrics: dict) -> dict[str, float]:
    return {key: float(value) for key, value in metrics.items()}


if __name__ == '__main__':
    main()
