"""What makes a recognizer cheaper: width, depth, frames and size, set in its config."""

import copy
import inspect
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from mmengine.config import Config

from mmkd_video.cli.complexity import measure_complexity
from mmkd_video.distillers.dry_run import FRAME_KEYS, PIXEL_KEYS, find_size, noise_for
from mmkd_video.registry import MODELS, build_model
from mmkd_video.views.view_spec import type_name

AXES = ('width', 'depth', 'frames', 'size')
WIDTH_KEYS = {'widen_factor': 0.05, 'gamma_w': 0.05, 'base_channels': 8}  # and the step each is rounded to
DEPTH_KEYS = {'depth_factor': 0.05, 'gamma_d': 0.1}
RESNET_DEPTHS = (18, 34, 50, 101, 152)
MIN_FRAMES, MIN_SIZE, FRAME_STEP, SIZE_STEP = 4, 32, 2, 8
CROP_KEYS = ('size', 'crop_size', 'input_size')


@dataclass(frozen=True)
class Shape:
    """The settings of a recognizer that make its cost.

    Args:
        width: Value of the backbone's width argument; None where it has none.
        depth: Value of its depth argument; None where it has none.
        frames: Frames of a clip.
        size: Side of a frame, in pixels.
    """

    width: float | None
    depth: float | None
    frames: int
    size: int

    def scaled(self, factors: Mapping[str, float]) -> 'Shape':
        """Return a smaller shape, each setting rounded to what makes sense.

        Args:
            factors: By axis, at most 1; axes left out stay.
        """
        changed = {}
        for axis, factor in factors.items():
            value = getattr(self, axis) * factor
            if axis == 'frames':
                value = max(min(MIN_FRAMES, self.frames), int(value) // FRAME_STEP * FRAME_STEP)
            elif axis == 'size':
                value = max(min(MIN_SIZE, self.size), int(value) // SIZE_STEP * SIZE_STEP)
            changed[axis] = value
        return replace(self, **changed)


class Shrinkable:
    """A config whose recognizer can be made cheaper.

    Args:
        config: A plain config, or a distillation; of that the student is meant. It is not changed.

    Raises:
        ValueError: Its model is no recognizer.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        for part in ('backbone', 'cls_head'):
            if part not in self._model(config):
                raise ValueError(
                    f'{config.filename}: its model has no {part}; expected a recognizer, or a distillation'
                )
        backbone = self._model(config)['backbone']
        kind = MODELS.get(backbone['type']) if isinstance(backbone['type'], str) else backbone['type']
        if kind is None:
            raise ValueError(f'{config.filename}: got backbone.type {backbone["type"]!r}, which is not registered')
        defaults = {key: p.default for key, p in inspect.signature(kind).parameters.items()}
        known = {**defaults, **backbone}
        self._width = next((key for key in WIDTH_KEYS if _is_number(known.get(key))), None)
        self._depth = next((key for key in (*DEPTH_KEYS, 'depth') if _is_number(known.get(key))), None)
        frames, _, size = find_size(self._model(config), config, None, 'student')
        self.shape = Shape(known.get(self._width), known.get(self._depth), frames, size)

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes that this recognizer has."""
        return tuple(axis for axis in AXES if getattr(self.shape, axis) is not None)

    def rounded(self, factors: Mapping[str, float]) -> Shape:
        """Return the shape that is meant by factors on the axes."""
        shape = self.shape.scaled(factors)
        if 'width' in factors:
            shape = replace(shape, width=_round(shape.width, WIDTH_KEYS[self._width]))
        if 'depth' in factors and self._depth == 'depth':
            smaller = [depth for depth in RESNET_DEPTHS if depth <= shape.depth]
            shape = replace(shape, depth=smaller[-1] if smaller else min(RESNET_DEPTHS[0], self.shape.depth))
        elif 'depth' in factors:
            shape = replace(shape, depth=_round(shape.depth, DEPTH_KEYS[self._depth]))
        return shape

    def share(self, shape: Shape, axis: str) -> float:
        """Return what is left of an axis, at most 1."""
        return getattr(shape, axis) / getattr(self.shape, axis)

    def step_up(self, shape: Shape, axis: str) -> Shape | None:
        """Return the next larger shape on an axis; None where that is more than there was."""
        value, whole = getattr(shape, axis), getattr(self.shape, axis)
        if axis == 'depth' and self._depth == 'depth':
            larger = next((depth for depth in RESNET_DEPTHS if depth > value), math.inf)
        else:
            width, depth = WIDTH_KEYS.get(self._width), DEPTH_KEYS.get(self._depth)
            larger = value + {'width': width, 'depth': depth, 'frames': FRAME_STEP, 'size': SIZE_STEP}[axis]
        return replace(shape, **{axis: round(larger, 4)}) if larger <= whole else None

    def with_shape(self, shape: Shape) -> Config:
        """Return the config with another shape; the head's channels follow the backbone's."""
        config = copy.deepcopy(self.config)
        model = self._model(config)
        for key, value in ((self._width, shape.width), (self._depth, shape.depth)):
            if value is not None and value != model['backbone'].get(key):
                model['backbone'][key] = value
        _set_declared(model, FRAME_KEYS, self.shape.frames, shape.frames)
        _set_declared(model, PIXEL_KEYS, self.shape.size, shape.size)
        for pipeline in student_pipelines(config):
            _set_frames(pipeline, self.shape.frames, shape.frames)
            _set_size(pipeline, self.shape.size, shape.size)
        model['cls_head']['in_channels'] = _backbone_channels(model, shape)
        return config

    def cost(self, shape: Shape) -> tuple[int, float | None]:
        """Return parameters and GFLOPs (a multiply-add is one) of a shape.

        Raises:
            ValueError: The model does not run on that shape.
        """
        recognizer = build_model(copy.deepcopy(dict(self._model(self.with_shape(shape)))))
        return measure_complexity(recognizer, noise_for(recognizer, (shape.frames, shape.size, shape.size))[0])

    @staticmethod
    def _model(config: Config) -> dict:
        model = config.get('model') or {}
        return model.get('student', model)


def student_pipelines(config: Config) -> Iterator[list]:
    """Yield every pipeline of a config's data loaders that the student sees; of ``DistillViews``, its student's."""
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        yield from _pipelines(config.get(key))


def _pipelines(value: object) -> Iterator[list]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key != 'pipeline':
                yield from _pipelines(item)
            elif item and type_name(item[0]) == 'DistillViews':
                yield item[0]['student']
            elif item:
                yield item
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _pipelines(item)


def _backbone_channels(model: Mapping, shape: Shape) -> int:
    """Return the channels that the head gets, from one pass over noise."""
    try:
        recognizer = build_model(copy.deepcopy(dict(model))).eval()
        noise = noise_for(recognizer, (shape.frames, shape.size, shape.size))
        with torch.no_grad():
            found = recognizer.extract_feat(noise, stage='neck')[0]
    except (RuntimeError, TypeError, AssertionError, IndexError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        size = f'{shape.frames} frames of {shape.size} x {shape.size}'
        raise ValueError(f'{model["backbone"]["type"]} does not run on {size}: {reason}') from error
    return found.shape[1] if isinstance(found, torch.Tensor) else model['cls_head']['in_channels']


def _set_declared(model: Mapping, keys: tuple[str, ...], old: int, new: int) -> None:
    for part in ('backbone', 'neck', 'cls_head'):
        for key in keys:
            if (model.get(part) or {}).get(key) == old:
                model[part][key] = new


def _set_frames(pipeline: list, old: int, new: int) -> None:
    if old == new:
        return
    for step in pipeline:
        if 'clip_len' not in step:
            continue
        if step['clip_len'] == 1:
            step['num_clips'] = new * max(1, step.get('num_clips', 1) // old)
        else:
            step['clip_len'] = new
            if 'frame_interval' in step:  # the clip spans the same time
                step['frame_interval'] = max(1, round(step['frame_interval'] * old / new))


def _set_size(pipeline: list, old: int, new: int) -> None:
    """Change the step that leaves the final size and, where that is a crop, every resizing before it."""
    if old == new:
        return
    final = [number for number, step in enumerate(pipeline) if _final_key(step) is not None]
    if not final:
        return
    last = pipeline[final[-1]]
    key = _final_key(last)
    last[key] = _times(last[key], new / old)
    if type_name(last) != 'Resize':
        for step in pipeline[: final[-1]]:
            if type_name(step) == 'Resize':
                step['scale'] = _times(step['scale'], new / old)


def _final_key(step: Mapping) -> str | None:
    kind = type_name(step)
    if kind == 'Resize':
        return None if step.get('keep_ratio', True) else 'scale'
    return next((key for key in CROP_KEYS if kind.endswith('Crop') and key in step), None)


def _times(size: object, factor: float) -> object:
    if isinstance(size, (list, tuple)):
        return type(size)(_times(item, factor) for item in size)
    return size if size == -1 else round(size * factor)


def _round(value: float, step: float) -> float:
    return type(step)(max(step, round(int(value / step + 1e-9) * step, 4)))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
