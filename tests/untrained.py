"""Checkpoints of the tiny experiment's models with random weights that answer differently to different clips."""

import torch

from mmkd_video.core.registry import build_model
from mmkd_video.recognizers.config import read_config


def write(experiment, seed=0):
    """Write the teacher's checkpoint where the distillation looks for it, and the student's; return the latter."""
    student = experiment.folder / 'student.pth'
    for config, path in ((experiment.teacher, experiment.checkpoint), (experiment.student, student)):
        torch.manual_seed(seed)
        model = build_model(read_config(str(config)).model)
        model.init_weights()
        torch.nn.init.normal_(model.cls_head.fc_cls.weight, std=3.0)
        path.parent.mkdir(exist_ok=True)
        torch.save(dict(state_dict=model.state_dict()), path)
    return student
