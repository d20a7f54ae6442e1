"""Checkpoints of the recognizers that come out of a training beside the student."""

import io
from pathlib import Path

import torch
from mmengine.dist import is_main_process
from mmengine.runner import Runner

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.hooks.model_contract import HasTeachers, ability_of
from mmkd_video.pruning import PRUNING_KEY, history_of

FOLDER = 'teachers'


def save_teachers(runner: Runner) -> None:
    """Write each recognizer that a teacher has trained or averaged to ``<work_dir>/teachers/<name>.pth``.

    Args:
        runner: Runner at the end of its training; only the main process writes.
    """
    model = ability_of(runner.model, HasTeachers)
    if model is None or not is_main_process():
        return
    for name, teacher in model.teachers.items():
        recognizer = getattr(teacher, 'recognizer', None)
        if recognizer is None:
            continue
        content = {
            'meta': {'iter': runner.iter, 'epoch': runner.epoch},
            'state_dict': {key: value.detach().cpu() for key, value in recognizer.state_dict().items()},
        }
        history = history_of(recognizer)
        if len(history):
            content[PRUNING_KEY] = history.to_json()
        path, file = Path(runner.work_dir, FOLDER, f'{name}.pth'), io.BytesIO()
        torch.save(content, file)
        write_atomically(file.getvalue(), path)
        runner.logger.info(f'{name} is written to {path}')
