"""The axes on which a recognizer shrinks: width, depth, frames and size, set in its config."""

import copy
import inspect
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from mmengine.config import Config

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS, build_model
from mmkd_video.recognizers.complexity import measure_complexity
from mmkd_video.recognizers.families import DEPTH_ARGUMENTS, DEPTHS, FRAME_ARGUMENTS, PIXEL_ARGUMENTS, WIDTH_ARGUMENTS
from mmkd_video.recognizers.input_form import noise_clip
from mmkd_video.recognizers.pipelines import type_name
from mmkd_video.recognizers.plain_student import named_teachers
from mmkd_video.recognizers.size import find_size
from mmkd_video.recognizers.without_weights import channels_without_weights, count_without_weights

AXES = ('width', 'depth', 'frames', 'size')
MIN_FRAMES, MIN_SIZE, FRAME_STEP, SIZE_STEP = 4, 32, 2, 8
PIPELINES = ('train_pipeline', 'val_pipeline', 'test_pipeline')
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
            factors: Factors by axis, at most 1; axes left out stay.
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
                raise WrongValueError(
                    f'{config.filename}: its model has no {part}; expected a recognizer, or a distillation'
                )
        backbone = self._model(config)['backbone']
        kind = MODELS.get(backbone['type']) if isinstance(backbone['type'], str) else backbone['type']
        if kind is None:
            raise WrongValueError(f'{config.filename}: got backbone.type {backbone["type"]!r}, which is not registered')
        self._arguments = _defaults(kind)
        known = {**self._arguments, **backbone}
        self._width = next((key for key in WIDTH_ARGUMENTS if _is_number(known.get(key))), None)
        self._depth = next((key for key in (*DEPTH_ARGUMENTS, 'depth') if _is_number(known.get(key))), None)
        frames, _, size = find_size(self._model(config), config, None, 'student')
        self.shape = Shape(known.get(self._width), known.get(self._depth), frames, size)

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes that this recognizer has."""
        return tuple(axis for axis in AXES if getattr(self.shape, axis) is not None)

    def rounded(self, factors: Mapping[str, float]) -> Shape:
        """Return the shape for factors on the axes."""
        shape = self.shape.scaled(factors)
        if 'width' in factors:
            shape = replace(shape, width=_round(shape.width, WIDTH_ARGUMENTS[self._width]))
        if 'depth' in factors and self._depth == 'depth':
            smaller = [depth for depth in DEPTHS if depth <= shape.depth]
            shape = replace(shape, depth=smaller[-1] if smaller else min(DEPTHS[0], self.shape.depth))
        elif 'depth' in factors:
            shape = replace(shape, depth=_round(shape.depth, DEPTH_ARGUMENTS[self._depth]))
        return shape

    def share(self, shape: Shape, axis: str) -> float:
        """Return what is left of an axis, at most 1."""
        return getattr(shape, axis) / getattr(self.shape, axis)

    def step_up(self, shape: Shape, axis: str) -> Shape | None:
        """Return the next larger shape on an axis; None where that is more than there was."""
        value, whole = getattr(shape, axis), getattr(self.shape, axis)
        if axis == 'depth' and self._depth == 'depth':
            larger = next((depth for depth in DEPTHS if depth > value), math.inf)
        else:
            width, depth = WIDTH_ARGUMENTS.get(self._width), DEPTH_ARGUMENTS.get(self._depth)
            larger = value + {'width': width, 'depth': depth, 'frames': FRAME_STEP, 'size': SIZE_STEP}[axis]
        return replace(shape, **{axis: round(larger, 4)}) if larger <= whole else None

    def with_shape(self, shape: Shape) -> Config:
        """Return the config with another shape; the head's channels follow the backbone's.

        Pretrained weights are of the old width and depth, and are left out where one of these changes.
        """
        config = self._changed(shape)
        model = self._model(config)
        model['cls_head']['in_channels'] = _backbone_channels(model, shape)
        return config

    def loses_weights(self, shape: Shape) -> bool:
        """Return whether the config begins from pretrained weights that a shape has no place for."""
        backbone = self._model(self.config)['backbone']
        same = (shape.width, shape.depth) == (self.shape.width, self.shape.depth)
        return not same and bool(backbone.get('pretrained') or backbone.get('init_cfg'))

    def _changed(self, shape: Shape) -> Config:
        config = copy.deepcopy(self.config)
        model = self._model(config)
        backbone = model['backbone']
        for axis, key in (('width', self._width), ('depth', self._depth)):
            if getattr(shape, axis) != getattr(self.shape, axis):
                backbone[key] = getattr(shape, axis)
        if self.loses_weights(shape):
            backbone.pop('init_cfg', None)
            backbone['pretrained'] = None
            if 'pretrained2d' in self._arguments:  # it would not go without a checkpoint
                backbone['pretrained2d'] = False
        _set_declared(model, FRAME_ARGUMENTS, self.shape.frames, shape.frames)
        _set_declared(model, PIXEL_ARGUMENTS, self.shape.size, shape.size)
        for pipeline in (*named_pipelines(config), *student_pipelines(config)):
            _set_frames(pipeline, self.shape.frames, shape.frames)
            _set_size(pipeline, self.shape.size, shape.size)
        _set_dry_run(config, shape)
        return config

    def cost(self, shape: Shape) -> tuple[int, float | None]:
        """Return parameters and GFLOPs (a multiply-add is one) of a shape.

        Raises:
            ValueError: The model does not run on that shape.
        """
        recognizer = build_model(copy.deepcopy(dict(self._model(self.with_shape(shape)))))
        return measure_complexity(recognizer, noise_clip(recognizer, _size(shape))[0])

    def estimate(self, shape: Shape) -> tuple[int, float | None]:
        """Return about what :meth:`cost` does, without the head, and in a moment where the model runs without weights.

        Raises:
            ValueError: As for :meth:`cost`.
        """
        return count_without_weights(self._model(self._changed(shape)), _size(shape)) or self.cost(shape)

    @staticmethod
    def _model(config: Config) -> dict:
        model = config.get('model') or {}
        return model.get('student', model)


def student_pipelines(config: Config) -> Iterator[list]:
    """Yield every pipeline of a config's data loaders that the student sees; of ``DistillViews``, its student's."""
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        yield from _pipelines(config.get(key))


def named_pipelines(config: Config) -> Iterator[list]:
    """Yield the variables of a config that hold a pipeline of its student; another config may inherit them by name.

    These are ``train_pipeline`` and alike, and every other variable that equals a pipeline of a data loader, except
    one that is named after the teacher.

    Args:
        config: A plain config, or a distillation.
    """
    loaded = list(student_pipelines(config))
    for name, value in config.items():
        is_list = isinstance(value, list) and value and all(isinstance(step, Mapping) for step in value)
        if is_list and 'teacher' not in name and (name in PIPELINES or value in loaded):
            yield value


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


def _defaults(kind: type) -> dict[str, object]:
    """Return the arguments of a class with their defaults; also those that it hands on to the class it is made from."""
    found: dict[str, object] = {}
    for each in kind.__mro__:
        parameters = inspect.signature(each.__init__).parameters.values()
        found = {**{p.name: p.default for p in parameters}, **found}
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
            break
    return found


def _backbone_channels(model: Mapping, shape: Shape) -> int:
    """Return the channels that the head gets, from one pass over noise."""
    found = channels_without_weights(model, _size(shape))
    if found is not None:
        return found
    try:
        recognizer = build_model(copy.deepcopy(dict(model))).eval()
        noise = noise_clip(recognizer, _size(shape))
        with torch.no_grad():
            found = recognizer.extract_feat(noise, stage='neck')[0]
    except (RuntimeError, TypeError, AssertionError, IndexError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        size = f'{shape.frames} frames of {shape.size} x {shape.size}'
        raise WrongValueError(f'{model["backbone"]["type"]} does not run on {size}: {reason}') from error
    return found.shape[1] if isinstance(found, torch.Tensor) else model['cls_head']['in_channels']


def _set_dry_run(config: Config, shape: Shape) -> None:
    """Let a distillation try its student on clips of its new size."""
    asked = config.model.get('input_size') if 'student' in config.model else None
    if isinstance(asked, Mapping) and 'student' in asked:
        asked['student'] = _size(shape)
    elif asked is not None and not isinstance(asked, Mapping):  # one size for all
        names = named_teachers(config.model.get('teacher'))
        config.model['input_size'] = {'student': _size(shape), **{name: tuple(asked) for name in names}}


def _size(shape: Shape) -> tuple[int, int, int]:
    return shape.frames, shape.size, shape.size


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
