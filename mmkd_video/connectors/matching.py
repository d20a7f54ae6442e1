"""Make two features comparable in layout, time and space, without any parameter."""

import torch.nn.functional as F
from torch import Tensor

from mmkd_video.core.layouts import layout_of
from mmkd_video.functional import pool_map


def match_layouts(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Bring two features to one layout.

    A map beside tokens of the same number of positions is flattened; in all other mixed pairs both sides are averaged
    over their positions.

    Args:
        student: ``(N, Cs, T, H, W)``, ``(N, L, Cs)`` or ``(N, Cs)``.
        teacher: The same of the teacher.

    Returns:
        Both features, in one layout.
    """
    layouts = layout_of(student.shape), layout_of(teacher.shape)
    if layouts[0] == layouts[1]:
        return student, teacher
    if set(layouts) == {'map', 'tokens'}:
        flat = _flatten(student), _flatten(teacher)
        if flat[0].shape[1] == flat[1].shape[1]:
            return flat
    return _average(student), _average(teacher)


def match_positions(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Pool the finer of two features of one layout, in each dimension, to the size of the coarser one.

    Args:
        student: ``(N, Cs, T, H, W)``, ``(N, L, Cs)`` or ``(N, Cs)``.
        teacher: The same layout; its sizes may differ.

    Returns:
        Both features with equal ``T, H, W`` or ``L``.
    """
    layout = layout_of(student.shape)
    if layout == 'map':
        size = tuple(min(s, t) for s, t in zip(student.shape[2:], teacher.shape[2:], strict=True))
        return pool_map(student, size), pool_map(teacher, size)
    if layout == 'tokens':
        length = min(student.shape[1], teacher.shape[1])
        return _pool_tokens(student, length), _pool_tokens(teacher, length)
    return student, teacher


def _pool_tokens(feature: Tensor, length: int) -> Tensor:
    if feature.shape[1] == length:
        return feature
    return F.adaptive_avg_pool1d(feature.transpose(1, 2), length).transpose(1, 2)


def _flatten(feature: Tensor) -> Tensor:
    return feature.flatten(2).transpose(1, 2) if feature.ndim == 5 else feature


def _average(feature: Tensor) -> Tensor:
    if feature.ndim == 2:
        return feature
    return feature.mean(dim=(2, 3, 4)) if feature.ndim == 5 else feature.mean(dim=1)
