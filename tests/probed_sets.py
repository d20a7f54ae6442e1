"""Distillations from an encoder of transformers without a head, and sets of real clips to probe it on."""

import clips
import tiny
import transformers_models
from mmengine.config import Config


def config_of(root, folder, work_dir, probe, batch_size=4, lists=('list.txt', 'list.txt'), **teacher):
    """Return a distillation whose teacher is an encoder with a probe, on the clips of a folder.

    Args:
        root: Folder of the clips.
        folder: Folder of the encoder.
        work_dir: Work dir of a training.
        probe: File of the probe.
        batch_size: Number of clips at once.
        lists: Names of the annotation files for training and for validation.
        **teacher: Further settings of the teacher.
    """
    model = tiny.distiller(terms=[dict(type='KDLoss', at='logits')])
    source = f'hf::{folder}'
    model['teacher'] = dict(type='ProbedTeacher', config=source, probe=str(probe), **teacher)
    student = clips.pipeline(frames=8, size=48, train=False, layout='NCTHW')
    views = [dict(type='DistillViews', student=student, teacher=source)]
    config = Config(clips.runner_config(root, work_dir, model, views, epochs=1, batch_size=batch_size))
    for loader, name in zip((config.train_dataloader, config.val_dataloader), lists, strict=True):
        loader.dataset.ann_file = str(root / name)
    config.val_dataloader.dataset.pipeline = clips.pipeline(train=False, layout='NCTHW')
    config.model.input_size = dict(student=tiny.SIZE)
    config.custom_hooks = [dict(type='DistillHook'), dict(type='TeacherPredictionsHook')]
    config.classes = list('abcde')
    return config


def encoder(folder, name='videomae_encoder', **more):
    """Write the folder of a tiny random encoder."""
    return transformers_models.write(folder, name, **more).folder
