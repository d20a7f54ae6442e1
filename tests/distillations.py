"""A small distillation to build and step: I3D teaches TSM-MobileNetV2."""

import copy

import zoo

from mmkd_video.core.registry import MODELS

KD = dict(type='KDLoss', at='logits', temperature=4.0, weight=0.9)
MAP = dict(type='FitNetLoss', at=('backbone.layer4', 'backbone.layer4'), weight=1.0)


def distiller_config(student='tsm_mobilenet', teacher='i3d', terms=(KD, MAP), **extra):
    ours, our_size = zoo.config_of(student)
    theirs, their_size = zoo.config_of(teacher)
    teacher = dict(config=theirs, checkpoint=extra.pop('checkpoint', None), **extra.pop('teacher', {}))
    return dict(
        dict(
            type='Distiller',
            student=ours,
            teacher=teacher,
            terms=copy.deepcopy(list(terms)),
            input_size=dict(student=our_size, teacher=their_size),
        ),
        **extra,
    )


def build(**kwargs):
    return MODELS.build(distiller_config(**kwargs)).train()


def batch(model, seed=0, student='tsm_mobilenet', **extra):
    data = zoo.batch_for(*zoo.config_of(student), seed=seed, **extra)
    return model.data_preprocessor(data, True)


def step(model, data):
    losses = model(**data, mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    return losses
