"""The size of the clips that a recognizer takes: frames, height and width."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch

from mmkd_video.core.checked import AnyOf, ListOf, Settings, Whole, did_you_mean
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.families import FRAME_ARGUMENTS, PIXEL_ARGUMENTS, fixed_clip_size
from mmkd_video.recognizers.input_form import Inputs, shape_of
from mmkd_video.recognizers.pipelines import find_pipeline
from mmkd_video.recognizers.view_spec import ViewSpec

SIZE = ListOf(Whole(1), length=3, example='(frames, height, width)')
SIZES = AnyOf(SIZE, Settings('a dict of these by side'))
DEFAULT_SIZE = (8, 64, 64)
COMPILERS = ('torch._dynamo', 'torch._inductor', 'torch._functorch', 'torch.fx')


def find_size(model_config: Mapping, config: Mapping | None, asked: object, side: str) -> tuple[int, int, int]:
    """Return the size of the clip that a model is tried on.

    Args:
        model_config: The recognizer's config.
        config: The whole config it came from, if known; its pipeline tells the size.
        asked: ``input_size`` of the Distiller: None, ``(T, H, W)``, or a dict of these by side.
        side: ``'student'`` or the teacher's name.

    Returns:
        ``(T, H, W)``: ``asked`` if given, else the pipeline's, else what the model declares, else 8 x 64 x 64.

    Raises:
        ValueError: ``asked`` is malformed.
    """
    by_side = isinstance(asked, Mapping)
    asked = asked.get(side) if by_side else asked
    if asked is not None:
        SIZE.check(f'input_size.{side}' if by_side else 'input_size', asked)
        return tuple(asked)
    while 'recognizer' in model_config:  # a PrunedRecognizer
        model_config = model_config['recognizer']
    return _pipeline_size(config, side) or _declared_size(model_config['backbone'])


def _pipeline_size(config: Mapping | None, side: str) -> tuple[int, int, int] | None:
    if config is None:
        return None
    try:
        spec = ViewSpec.from_pipeline(side, find_pipeline(config, side))
    except (ValueError, KeyError, TypeError):
        return None
    if spec.size is None:
        return None
    clip_len = spec.clip_len
    if isinstance(clip_len, Mapping):  # by modality
        clip_len = next(iter(clip_len.values()))
    frames = spec.num_clips if clip_len == 1 else clip_len
    return frames, spec.size[1], spec.size[0]


def _declared_size(backbone: Mapping) -> tuple[int, int, int]:
    kind = backbone['type']
    backbone_class = MODELS.get(kind) if isinstance(kind, str) else kind
    defaults = {}
    if backbone_class is not None:
        fixed = fixed_clip_size(backbone_class)
        if fixed is not None:
            return fixed
        parameters = inspect.signature(backbone_class).parameters
        defaults = {key: p.default for key, p in parameters.items() if isinstance(p.default, int)}
    known = {**defaults, **{key: value for key, value in backbone.items() if isinstance(value, int)}}
    frames = next((known[key] for key in FRAME_ARGUMENTS if key in known), DEFAULT_SIZE[0])
    pixels = next((known[key] for key in PIXEL_ARGUMENTS if key in known), DEFAULT_SIZE[1])
    return frames, pixels, pixels


def check_sides(asked: object, sides: Sequence[str]) -> None:
    """Check that sizes are given only for models that exist.

    Args:
        asked: ``input_size`` of the Distiller.
        sides: ``'student'`` and the names of the teachers.

    Raises:
        KeyError: Another name.
    """
    for side in asked if isinstance(asked, Mapping) else ():
        if side not in sides:
            hint = did_you_mean(side, sides) or 'take it out'
            raise WrongKeyError(f'input_size: got the unknown key {side!r}; expected {", ".join(sides)}; {hint}')


@contextmanager
def explaining_size_errors(side: str, size: tuple[int, int, int]) -> Iterator[None]:
    """Turn any error of a model about a wrong size into one line that names ``input_size``.

    Raises:
        ValueError: The block failed inside the model.
    """
    try:
        yield
    except (RuntimeError, AssertionError, IndexError) as error:
        if _is_of_the_stack(error):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WrongValueError(
            f'the dry run of the {side} on {size[0]} frames of {size[1]}x{size[2]} failed: {reason}; '
            f'set input_size=dict({side}=(frames, height, width)) to what it is trained on'
        ) from error


@contextmanager
def explaining_view_errors(name: str, view: Inputs, tried: Inputs | None = None) -> Iterator[None]:
    """Turn whatever a teacher says about clips that do not fit it into one line that names ``DistillViews``.

    What has nothing to do with the clips is left as it is: a full memory, a compiler that gives up, and whatever
    happens on clips of a shape that the teacher has taken before.

    Args:
        name: The teacher's name.
        view: Inputs that it is given.
        tried: Inputs that it has taken before; None where nothing was tried.

    Raises:
        ValueError: The block failed inside the teacher.
    """
    try:
        yield
    except (RuntimeError, AssertionError, IndexError, ValueError) as error:
        if _is_of_the_stack(error) or (tried is not None and _one_shape(view) == _one_shape(tried)):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WrongValueError(
            f'{name} cannot take clips of shape {shape_of(view)}: {reason}; give it a view of its own with '
            'DistillViews(student=<pipeline>, teacher=<config>), or another size'
        ) from error


def _is_of_the_stack(error: Exception) -> bool:
    """Tell whether an error is about memory or compilation, which no other size of clips mends."""
    kinds = [kind.__module__ for kind in type(error).__mro__]
    return isinstance(error, torch.OutOfMemoryError) or any(kind.startswith(COMPILERS) for kind in kinds)


def _one_shape(inputs: Inputs) -> list[tuple[int, ...]]:
    each = inputs.values() if isinstance(inputs, Mapping) else [inputs]
    return [tuple(tensor.shape[1:]) for tensor in each]
