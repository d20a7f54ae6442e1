"""Conversion of what a module returns to the canonical layouts, done once, where the tensor leaves the model."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mmkd_video.core.layouts import layout_of
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers import families
from mmkd_video.taps.recorder import ACTIVATIONS


def to_canonical(
    value: Tensor, clips: int, channels_last: bool = False, kind: str | None = None, batch_second: bool = False
) -> Tensor:
    """Convert a module's output to a canonical layout.

    A 2D recognizer folds its frames into the batch; they are unfolded here, so that no loss ever sees ``(N*T, ...)``.

    Args:
        value: ``(N, C, T, H, W)``, ``(N*T, C, H, W)``, ``(N*k, L, C)`` or ``(N*k, C)``.
        clips: Number of clips N in the batch.
        channels_last: A 5-D value is ``(N, T, H, W, C)``, a 4-D one ``(N*T, H, W, C)``.
        kind: The kind of the recognizer's input, as ``InputForm`` names it. Graphs give
            ``(N, persons, C, T, joints)`` or ``(N*persons, C, T, joints)``, a map of persons and joints at each time;
            audio gives ``(N, C, T, bins)``, a map of one column.
        batch_second: A 3-D value is ``(L, N*k, C)``.

    Returns:
        ``(N, C, T, H, W)``, ``(N, L, C)`` or ``(N, C)``.

    Raises:
        ValueError: The batch dimension is no multiple of ``clips``, or the rank is none of the above.
    """
    if batch_second and value.ndim == 3:
        value = value.transpose(0, 1)
    elif kind == 'skeletons' and value.ndim > 3:
        value = _persons_in_the_map(value, clips)
    elif kind == 'audio' and value.ndim == 4 and value.shape[0] == clips:
        value = value.unsqueeze(-1)
    if value.ndim not in (2, 3, 4, 5) or value.shape[0] % clips:
        raise WrongValueError(
            f'a value of shape {tuple(value.shape)} cannot be laid out for {clips} clips; '
            'expected 2 to 5 dimensions with a first one that is a multiple of the number of clips'
        )
    fold = value.shape[0] // clips
    if channels_last and value.ndim > 3:
        value = value.movedim(-1, 1)
    if value.ndim == 5:
        if fold != 1:
            raise WrongValueError(f'a clip map of shape {tuple(value.shape)} does not fit {clips} clips')
        return value
    if value.ndim == 4:
        return value.unflatten(0, (clips, fold)).transpose(1, 2)
    if value.ndim == 3:
        return value.reshape(clips, fold * value.shape[1], value.shape[2])
    return value if fold == 1 else value.unflatten(0, (clips, fold))


def _persons_in_the_map(value: Tensor, clips: int) -> Tensor:
    """Return what a graph gives each person as one map, ``(N, C, T, persons, joints)``."""
    if value.ndim == 4 and value.shape[0] % clips == 0:
        value = value.unflatten(0, (clips, -1))
    return value.permute(0, 2, 3, 1, 4) if value.ndim == 5 else value


def to_vector(feature: Tensor) -> Tensor:
    """Average a canonical feature over its positions.

    Args:
        feature: ``(N, C, T, H, W)``, ``(N, L, C)`` or ``(N, C)``.

    Returns:
        ``(N, C)``.
    """
    layout = layout_of(feature.shape)
    if layout == 'map':
        return feature.mean(dim=(2, 3, 4))
    return feature.mean(dim=1) if layout == 'tokens' else feature


def keeps_channels_last(model: nn.Module, name: str, pre: bool = False) -> bool:
    """Return whether a map leaves a module with its channels last: ``(N, T, H, W, C)``.

    Args:
        model: A recognizer of MMAction2.
        name: Dotted path of the module inside it.
        pre: Whether the map is the input of the module's last activation instead of the module's output.
    """
    module = model.get_submodule(name)
    if pre:
        inside = [key for key, child in module.named_modules() if isinstance(child, ACTIVATIONS)]
        name = '.'.join(filter(None, (name, *inside[-1:])))
    elif isinstance(module, nn.Linear) or (isinstance(module, nn.LayerNorm) and len(module.normalized_shape) == 1):
        return True  # they work on the last dimension, whatever stands before it
    parts = name.split('.')
    around = (model.get_submodule('.'.join(parts[: end + 1])) for end in range(len(parts)))
    return any(families.keeps_channels_last(part) for part in around)


def keeps_batch_second(model: nn.Module, name: str) -> bool:
    """Tell whether tokens leave a module with the batch second: ``(L, N*T, C)``.

    Args:
        model: A recognizer of MMAction2.
        name: Dotted path of the module inside it.
    """
    parts = name.split('.')
    around = (model.get_submodule('.'.join(parts[: end + 1])) for end in range(len(parts)))
    return any(families.keeps_batch_second(part) for part in around)


def class_scores(value: object) -> object:
    """Return one tensor of class scores where a head gives several by name.

    Their probabilities are averaged, as such a head does when it predicts; the scores are the logarithms.

    Args:
        value: Result of the head.
    """
    if not isinstance(value, Mapping):
        return value
    each = torch.stack([scores.log_softmax(dim=-1) for scores in value.values()])
    return each.logsumexp(dim=0) - math.log(len(each))


def neck_feature(value: object) -> object:
    """Return the feature among what a neck of MMAction2 returns: ``(feature, auxiliary losses)``.

    Args:
        value: The neck's output; a feature in a tuple or list of its own is taken out of it.
    """
    if isinstance(value, (tuple, list)) and value:
        value = value[0]
    return value[0] if isinstance(value, (tuple, list)) and len(value) == 1 else value


def pick_item(value: object, items: tuple[int, ...], name: str) -> Tensor:
    """Follow ``[i]`` indices into a tuple output.

    Args:
        value: The module's output.
        items: Indices, outermost first.
        name: Name of the tap, for the message.

    Raises:
        ValueError: An index is out of range, or what is left is not a tensor.
    """
    for index in items:
        if not isinstance(value, (tuple, list)) or index >= len(value):
            raise WrongValueError(
                f'tap {name!r}: index [{index}] is out of range; the module returned {_describe(value)}'
            )
        value = value[index]
    if not isinstance(value, torch.Tensor):
        raise WrongValueError(f'tap {name!r}: the module returned {_describe(value)}; add [i] to name one tensor of it')
    return value


def _describe(value: object) -> str:
    if isinstance(value, torch.Tensor):
        return f'a tensor of shape {tuple(value.shape)}'
    if isinstance(value, (tuple, list)):
        return '(' + ', '.join(_describe(item) for item in value) + ')'
    return type(value).__name__
