"""Image models of timm as recognizers, their scores averaged over the frames of a clip: ``timm::<name>``."""

import math
from typing import Any

from mmengine.config import Config
from torch import nn

from mmkd_video.core.vision_packages import import_vision
from mmkd_video.recognizers.libraries.view_pipelines import view_pipelines, whole_config
from mmkd_video.recognizers.timm_models import create_timm_model, timm_view

INTERPOLATIONS = ('nearest', 'bilinear', 'bicubic')


def read(name: str, key: str, frames: int = 8, num_classes: int | None = None) -> Config:
    """Return the whole config of a model.

    Args:
        name: Its name in timm, with or without the tag of its weights.
        key: Name of the setting in errors.
        frames: Number of frames of a clip that it sees, spread over the clip.
        num_classes: Number K of classes; by default that of its weights.

    Raises:
        ImportError: timm is not installed.
        ValueError: timm has no such model.
    """
    view = timm_view(name, key)
    classes = num_classes or view['num_classes']
    return whole_config(
        backbone=dict(type='VisionBackbone', library='timm', model=name, num_classes=classes),
        num_classes=classes,
        mean=view['mean'],
        std=view['std'],
        classes=class_names(view, classes),
        pipelines=view_pipelines(resizing(view), frames),
    )


def create(name: str, num_classes: int, **options: Any) -> nn.Module:
    """Create a model with random weights.

    Args:
        name: Its name in timm.
        num_classes: Number of classes.
        **options: Further arguments of the model.
    """
    return create_timm_model(name, f'timm::{name}', num_classes=num_classes, **options)


def resizing(view: dict) -> list[dict]:
    """Return the transforms that make frames as large as timm's own for validation do.

    Args:
        view: Dict that :func:`~mmkd_video.recognizers.timm_models.timm_view` returns.
    """
    side = view['input_size'][-1]
    interpolation = view['interpolation'] if view['interpolation'] in INTERPOLATIONS else 'bilinear'
    if view.get('crop_mode') == 'squash':
        return [dict(type='Resize', scale=(side, side), keep_ratio=False, interpolation=interpolation)]
    short = math.floor(side / view['crop_pct'])
    return [
        dict(type='Resize', scale=(-1, short), interpolation=interpolation),
        dict(type='CenterCrop', crop_size=side),
    ]


def class_names(view: dict, count: int) -> list[str] | None:
    """Return the names of the classes of ImageNet; None of another set.

    Args:
        view: Dict that :func:`~mmkd_video.recognizers.timm_models.timm_view` returns.
        count: Number of classes.
    """
    data = import_vision('timm.data')
    if view.get('label_names'):
        names = list(view['label_names'])
        return names if len(names) == count else None
    subset = {1000: 'imagenet-1k', 21841: 'imagenet-22k', 21843: 'imagenet-21k-goog'}.get(count)
    if subset is None:
        return None
    known = data.ImageNetInfo(subset)
    return [known.index_to_description(index, detailed=False) for index in range(count)]
