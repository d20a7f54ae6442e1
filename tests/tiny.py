"""A distillation as small as one can be compiled, timed or repeated in a test: one stage teaches one stage."""

import clips
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmkd_video.core.registry import MODELS

KD = dict(type='KDLoss', at='logits', weight=0.5)
MAP = dict(type='FitNetLoss', at='backbone.layer1')
SIZE = (8, 32, 32)


def recognizer(channels=8, dropout=0.0, **backbone):
    backbone = dict(
        dict(
            type='ResNet3d', depth=18, num_stages=1, out_indices=(0,), spatial_strides=(1,), temporal_strides=(1,),
            dilations=(1,), inflate=(1,), base_channels=channels, conv1_kernel=(3, 5, 5), pretrained=None,
            pretrained2d=False,
        ),
        **backbone,
    )  # fmt: skip
    return dict(
        type='Recognizer3D',
        backbone=backbone,
        cls_head=dict(
            type='I3DHead',
            num_classes=5,
            in_channels=channels,
            spatial_type='avg',
            dropout_ratio=dropout,
            average_clips='prob',
        ),
        data_preprocessor=dict(type='ActionDataPreprocessor', mean=[100.0] * 3, std=[60.0] * 3, format_shape='NCTHW'),
    )


def distiller(terms=(KD, MAP), student=None, teacher=None, **extra):
    given = dict(config=recognizer(12), checkpoint=None, **(teacher or {}))
    student = student or recognizer()
    return dict(dict(type='Distiller', student=student, teacher=given, terms=list(terms), input_size=SIZE), **extra)


def runner(videos, work_dir, name, model=None, **extra):
    """Return a runner on clips; its config is an ordinary one, with ``extra`` merged into it."""
    config = Config(
        clips.runner_config(
            videos,
            work_dir,
            model or distiller(),
            clips.pipeline(layout='NCTHW'),
            experiment_name=f'{work_dir.name}-{name}',
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9)),
            log_processor=dict(window_size=1),
        )
    )
    config.val_dataloader.dataset.pipeline = clips.pipeline(train=False, layout='NCTHW')
    config.custom_hooks = [dict(type='DistillHook'), dict(type='ReproducibleHook'), *extra.pop('hooks', [])]
    config.merge_from_dict(extra)
    return Runner.from_cfg(config)


def train(videos, work_dir, name, model=None, **extra):
    """Return the runner after its training, and the losses of each step by name."""
    built, losses = runner(videos, work_dir, name, model, **extra), []
    step = built.model.parse_losses

    def parse(found):
        losses.append({key: float(value.detach()) for key, value in found.items() if 'loss' in key})
        return step(found)

    built.model.parse_losses = parse
    torch.manual_seed(0)
    built.train()
    return built, losses


def build(seed=0, **config):
    torch.manual_seed(seed)
    return MODELS.build(distiller(**config)).train()
