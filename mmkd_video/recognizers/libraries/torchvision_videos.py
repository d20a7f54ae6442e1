"""Video models of torchvision as recognizers: ``torchvision::<name>``."""

import difflib
from collections.abc import Sequence
from typing import Any

from mmengine.config import Config
from torch import nn

from mmkd_video.core.mistakes import WrongValueError, first_line
from mmkd_video.core.vision_packages import import_vision
from mmkd_video.recognizers.libraries.view_pipelines import view_pipelines, whole_config

# Frames of a clip and frames per second that the accuracy of the weights was measured with. The numbers stand in the
# weights' descriptions, as text.
CLIPS = {
    'r3d_18': (16, 15),
    'mc3_18': (16, 15),
    'r2plus1d_18': (16, 15),
    's3d': (128, 15),
    'mvit_v1_b': (16, 7.5),
    'mvit_v2_s': (16, 7.5),
    'swin3d_t': (32, 15),
    'swin3d_s': (32, 15),
    'swin3d_b': (32, 15),
}
FIXED_LENGTH = ('mvit_v1_b', 'mvit_v2_s')  # their tables of positions are made for a number of frames


def read(
    name: str,
    key: str,
    frames: int | None = None,
    num_classes: int | None = None,
    preset: str | None = None,
) -> Config:
    """Return the whole config of a model.

    Args:
        name: Its name in ``torchvision.models.video``.
        key: Name of the setting in errors.
        frames: Number of frames of a clip; by default that which its accuracy was measured with.
        num_classes: Number K of classes; by default that of its weights.
        preset: Name of the weights whose view and class names are taken, such as ``'KINETICS400_V1'``; by default
            torchvision's own choice.

    Raises:
        ImportError: torchvision is not installed, or is not the one for this torch.
        ValueError: It has no such model, or no such weights of it.
    """
    models = import_vision('torchvision.models')
    _check(name, key)
    weights = _preset(models.get_model_weights(name), preset, f'{key}.preset')
    names = list(weights.meta['categories'])
    classes = num_classes or len(names)
    count, rate = CLIPS[name]
    view = weights.transforms()
    if name in FIXED_LENGTH and frames not in (None, count):
        raise WrongValueError(f'{key}.frames: got {frames}; expected {count}, for which {name} is made')
    return whole_config(
        backbone=dict(type='VisionBackbone', library='torchvision', model=name, num_classes=classes),
        num_classes=classes,
        mean=view.mean,
        std=view.std,
        classes=names if classes == len(names) else None,
        pipelines=view_pipelines(_resizing(view.resize_size, view.crop_size), frames or count, 1, rate),
    )


def create(name: str, num_classes: int, **options: Any) -> nn.Module:
    """Create a model with random weights.

    Args:
        name: Its name.
        num_classes: Number of classes.
        **options: Further arguments of the model.

    Raises:
        ValueError: There is no such model, or it takes no such option.
    """
    key = f'torchvision::{name}'
    models = import_vision('torchvision.models')
    _check(name, key)
    try:
        return models.get_model(name, weights=None, num_classes=num_classes, **options)
    except (TypeError, ValueError) as error:
        raise WrongValueError(f'{key}: it cannot be built so: {first_line(error)}') from error


def _check(name: str, key: str) -> None:
    if name not in CLIPS:
        nearest = difflib.get_close_matches(name, CLIPS, n=3, cutoff=0.5) or CLIPS
        raise WrongValueError(
            f'{key}: got {name!r}; expected a video model of torchvision, such as {", ".join(nearest)}'
        )


def _preset(known: Any, name: str | None, key: str) -> Any:
    if name is None:
        return known.DEFAULT
    if name not in known.__members__:
        raise WrongValueError(f'{key}: got {name!r}; expected {", ".join(known.__members__)}')
    return known[name]


def _resizing(resize: Sequence[int], crop: Sequence[int]) -> list[dict]:
    if len(resize) == 2:
        first = dict(type='Resize', scale=(resize[1], resize[0]), keep_ratio=False)
    else:
        first = dict(type='Resize', scale=(-1, resize[0]))
    return [first, dict(type='CenterCrop', crop_size=(crop[1], crop[0]))]
