"""The work of the stages of a config: each is trained, published, and the next begins from its weights."""

import shutil
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.lock import locked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.text_table import aligned
from mmkd_video.recognizers.stages import Stage, stages_of
from mmkd_video.workflows.compare.runs import run_config
from mmkd_video.workflows.train.prepare import prepare
from mmkd_video.workflows.train.run_folder import RunFolder

TABLE = 'table.txt'


def train_stages(config: Config, work_dir: Path, *, seed: int = 0, may_prepare: bool = True) -> tuple[Path, str]:
    """Train the stages of a config that are not trained yet, in order.

    Args:
        config: Whole config of a distillation with ``stages``; what it needs is made.
        work_dir: Folder of the stages: a folder and a checkpoint of the student for each.
        seed: Seed of each training.
        may_prepare: Whether clips may be rendered and the teacher trained.

    Returns:
        The checkpoint of the student after the last stage, and a table of what each stage took, with the accuracy on
        validation and test after the last.

    Raises:
        FileNotFoundError: Something is missing that may not be prepared.
        KeyError: A stage holds an unknown key.
        RuntimeError: A training failed.
        ValueError: The config has no stages, or wrong ones; the folder holds a stage of another config, or one that
            began from other weights.
    """
    if not stages_of(config):
        raise WrongValueError(
            f"stages: got none in {config.filename or 'the config'}; expected a list such as [dict(name='distil', "
            "labels=False), dict(name='finetune')]; without stages, tools/train.py trains it"
        )
    prepare(config, allowed=may_prepare)
    stages = stages_of(config)  # read again, with the clips that are there now: lengths follow from their number
    for stage in stages:
        prepare(stage.config, allowed=may_prepare)
    with locked(work_dir, 'training stages'):
        results = [_train(stages, place, work_dir, seed) for place in range(len(stages))]
        table = _table(stages, results)
        write_atomically(table.encode(), work_dir / TABLE)
    return checkpoint_of(stages, len(stages) - 1, work_dir), table


def checkpoint_of(stages: list[Stage], place: int, work_dir: Path) -> Path:
    """Return the path of the student after a stage.

    Args:
        stages: All stages.
        place: Place of the stage, from 0.
        work_dir: Folder of the stages.
    """
    return work_dir / f'{place + 1}_{stages[place].name}.pth'


def _train(stages: list[Stage], place: int, work_dir: Path, seed: int) -> dict[str, Any]:
    """Train one stage where it is not trained yet, and return its result."""
    stage, target = stages[place], checkpoint_of(stages, place, work_dir)
    width = min(shutil.get_terminal_size().columns, 100)
    print(f'\n--- {place + 1} of {len(stages)}: {stage.name} '.ljust(width, '-'), flush=True)
    if place:
        stage.begin_from(str(checkpoint_of(stages, place - 1, work_dir)))
    splits = [split for split in ('val', 'test') if stage.config.get(f'{split}_dataloader') is not None]
    run = RunFolder(target.with_suffix(''), run_config(stage.config, seed), splits=splits)
    print('trained before' if run.is_finished() else f'in {run.path}', flush=True)
    return run.publish(target)


def _table(stages: list[Stage], results: list[dict[str, Any]]) -> str:
    metrics = [('val', key) for key in results[-1].get('val', {})]
    metrics += [('metrics', key) for key in results[-1].get('metrics', {})]
    shown = [f'{"test" if split == "metrics" else split} {key}' for split, key in metrics]
    lines = [('stage', 'epochs', 'minutes', *shown)]
    for stage, result in zip(stages, results, strict=True):
        found = [result.get(split, {}).get(key) for split, key in metrics]
        length = stage.config.train_cfg.get('max_epochs') or '-'
        minutes = '-' if result.get('seconds') is None else f'{result["seconds"] / 60:.1f}'
        lines.append((stage.name, str(length), minutes, *('-' if each is None else f'{each:.4f}' for each in found)))
    return '\n'.join(aligned(lines, left=1)) + '\n'
