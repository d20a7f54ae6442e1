"""A validation that reports how alike features are; with a launcher, what each of two processes does."""

import json
import random
import sys
from pathlib import Path

import clips
import tiny
import torch
import zoo
from mmengine.config import Config
from mmengine.runner import Runner

import mmkd_video  # noqa: F401

TEACHER_PIPELINE = clips.pipeline(frames=8, size=32, train=False, layout='NCTHW')


def build(videos, work_dir, taps, student=None, teacher=None, settings=None, **extra):
    """Return a runner whose validation compares features; the student is a TSN, the teacher a 3D network."""
    student = student or zoo.config_of('tsn_r18')[0]
    teacher = teacher or dict(config=dict(model=tiny.recognizer(), val_pipeline=TEACHER_PIPELINE), checkpoint=None)
    model = dict(
        type='Distiller',
        student=student,
        teacher=teacher,
        terms=[dict(type='KDLoss', at='logits')],
        input_size=(8, 32, 32),
    )
    layout = student['data_preprocessor']['format_shape']
    config = clips.runner_config(
        videos,
        work_dir,
        model,
        clips.pipeline(layout=layout),
        epochs=1,
        experiment_name=f'{work_dir.name}-{random.random()}',
        **extra,
    )
    config['val_dataloader']['dataset']['pipeline'] = clips.pipeline(train=False, layout=layout)
    hook = dict(dict(type='FeatureSimilarityHook', taps=taps, batch_size=4), **(settings or {}))
    config['custom_hooks'] = [dict(type='DistillHook'), hook]
    torch.manual_seed(0)
    return Runner.from_cfg(Config(config))


if __name__ == '__main__':
    videos, work_dir, report = map(Path, sys.argv[1:])
    found = build(videos, work_dir, ['pooled', ('backbone.layer2', 'backbone.layer1')], launcher='pytorch').val()
    if torch.distributed.get_rank() == 0:
        report.write_text(json.dumps(found))
