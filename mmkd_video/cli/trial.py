"""One run of a comparison, in a process of its own: train, then score the last checkpoint on test."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config

import mmkd_video  # noqa: F401  the stack must be mended before a runner is built
from mmkd_video.cli.complexity import measure_complexity
from mmkd_video.cli.plain_student import plain_student
from mmkd_video.cli.prepare import find_last
from mmkd_video.cli.pruned_config import rebuild_pruned
from mmkd_video.cli.student import read_checkpoint
from mmkd_video.cli.train import build_runner
from mmkd_video.cli.train import train as train_to_the_end
from mmkd_video.cli.training_clock import META_KEY
from mmkd_video.hooks.atomic_file import write_atomically

CONFIG = 'config.py'
RESULT = 'result.json'


def main(arguments: Sequence[str] | None = None) -> None:
    """Train (or go on) in a run's folder as its ``config.py`` says, test, and write ``result.json``."""
    parser = argparse.ArgumentParser(prog='trial.py', description=__doc__)
    parser.add_argument('run', type=Path, help='folder with config.py')
    parser.add_argument('--checkpoint', type=Path, help='test this one; train nothing')
    options = parser.parse_args(arguments)
    run = options.run
    config = Config.fromfile(run / CONFIG)
    config.work_dir, config.launcher = str(run), 'none'
    if options.checkpoint is None:
        train(config, parser)
    checkpoint = options.checkpoint or find_last(run)
    result = score(plain_student(config), checkpoint, run / 'test')
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


def score(config: Config, checkpoint: Path, work_dir: Path) -> dict:
    """Test a checkpoint with a plain config.

    Args:
        config: Of the recognizer alone; it is changed.
        checkpoint: Of its weights.
        work_dir: For the test's log.

    Returns:
        ``metrics`` as MMAction2 names them, ``params``, ``gflops`` (or None), ``seconds`` of training (or None), and
        the ``checkpoint``'s path.
    """
    rebuild_pruned(config, read_checkpoint(checkpoint))
    config.work_dir, config.load_from, config.resume = str(work_dir), str(checkpoint), False
    config.experiment_name = f'test_{work_dir.parent.parent.name}_{work_dir.parent.name}'
    runner = build_runner(config)
    metrics = {key: float(value) for key, value in runner.test().items()}
    params, gflops = measure_complexity(runner.model, runner.test_dataloader.dataset[0]['inputs'])
    return dict(
        metrics=metrics, params=params, gflops=gflops, seconds=training_seconds(checkpoint), checkpoint=str(checkpoint)
    )


def training_seconds(checkpoint: Path) -> float | None:
    """Return how long the training that wrote a checkpoint took; None where it was not counted."""
    loaded = torch.load(checkpoint, map_location='cpu', weights_only=True)
    return loaded.get('meta', {}).get(META_KEY)


if __name__ == '__main__':
    main()
