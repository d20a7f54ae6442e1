"""What every distillation loss shares: what it accepts, its checks and its float32 island."""

import functools
import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import Number, Whole
from mmkd_video.core.mistakes import WrongTypeError, WrongValueError
from mmkd_video.losses.finite import FiniteWatch

__all__ = ['DistillLoss', 'at_least', 'gradient_to_teacher', 'in_float32', 'positive', 'whole']

RANKS = {'logits': (2,), 'vector': (2,), 'tokens': (3,), 'map': (4, 5)}
SHAPES = {
    'logits': 'logits (N, K)',
    'vector': 'vector (N, C)',
    'tokens': 'tokens (N, L, C)',
    'map': 'map (N, C, T, H, W) or (N, C, H, W)',
}
Features = Tensor | Sequence[Tensor]
_teacher_learns = False


@contextmanager
def gradient_to_teacher() -> Iterator[None]:
    """Let losses keep the graph of the teacher's features while the block runs, for a teacher that learns to teach."""
    global _teacher_learns
    before, _teacher_learns = _teacher_learns, True
    try:
        yield
    finally:
        _teacher_learns = before


def positive(key: str, value: float) -> float:
    """Return ``value``.

    Raises:
        ValueError: ``value`` is no number above 0, or not finite; names ``key``.
    """
    Number(0, above=True).check(key, value)
    return value


def at_least(key: str, value: float, bound: float) -> float:
    """Return ``value``.

    Raises:
        ValueError: ``value`` is no number, below ``bound``, or not finite; names ``key``.
    """
    Number(bound).check(key, value)
    return value


def whole(key: str, value: int, bound: int) -> int:
    """Return ``value``.

    Raises:
        ValueError: ``value`` is no whole number, or below ``bound``; names ``key``.
    """
    Whole(bound).check(key, value)
    return value


class DistillLoss(nn.Module):
    """Base of all losses; the class attributes tell a term how to match the two sides before the loss.

    Attributes:
        layouts: Canonical layouts the loss accepts, out of ``logits``, ``vector``, ``tokens``, ``map``.
        same_channels: Whether both sides must have equal channels: a trained connector is inserted where they differ.
        same_positions: Whether both sides must have equal time and space: they are matched without parameters.
        same_classes: Whether both sides must have equal class counts (logits).
        multi_layer: Whether the loss takes a list of features per side.
        min_layers: Fewest entries of such a list.
        min_classes: Fewest classes for which the loss is defined (logits).
        clips_only: Whether a map must have time: ``(N, C, H, W)`` is refused.
        flattens: Whether tokens and maps given directly are taken too, each sample as one vector.
        softens: Whether it compares class scores divided by its ``temperature``, as they are.
        averages_clips: Whether the loss of a batch is the mean of those of its clips, so that these can be weighed.
        several_labels: Whether class scores may be those of several labels, each class by itself; one that compares a
            distribution over all classes is refused there.
    """

    layouts: tuple[str, ...] = ()
    same_channels: bool = False
    same_positions: bool = False
    same_classes: bool = False
    multi_layer: bool = False
    min_layers: int = 1
    min_classes: int = 1
    clips_only: bool = False
    flattens: bool = False
    softens: bool = False
    averages_clips: bool = False
    several_labels: bool = False

    def __init__(self) -> None:
        super().__init__()
        self._finite = FiniteWatch()
        self._built_for: dict[str, Sequence[int | None]] = {}

    def moved(self, key: str, value: float) -> None:
        """Hear which number a schedule has given to an argument; to read the argument is to wait for its device.

        Args:
            key: Name of the argument.
            value: The number.
        """

    def check(self, student: Features, teacher: Features) -> None:
        """Refuse inputs the loss is not defined for.

        Raises:
            TypeError: A side is not a Tensor (or, for a multi-layer loss, not a list of them).
            ValueError: Wrong rank, differing batch sizes, or sizes differ that the loss needs equal.
        """
        if not self.multi_layer:
            self._check_pair(student, teacher, where='')
            self._check_built_for([student], [teacher])
            return
        for side, features in (('student', student), ('teacher', teacher)):
            if not isinstance(features, list | tuple):
                raise WrongTypeError(
                    f'{self._name}: got {type(features).__name__} as {side}, expected a list of Tensors'
                )
            if len(features) < self.min_layers:
                raise WrongValueError(
                    f'{self._name}: got {len(features)} {side} layers, expected at least {self.min_layers}; '
                    'name more taps in `at`'
                )
        if len(student) != len(teacher):
            raise WrongValueError(
                f'{self._name}: got {len(student)} student and {len(teacher)} teacher layers, expected as many'
            )
        for index, pair in enumerate(zip(student, teacher, strict=True)):
            self._check_pair(*pair, where=f' layer {index}')
        self._check_built_for(student, teacher)

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _check_pair(self, student: Tensor, teacher: Tensor, where: str) -> None:
        for side, feature in (('student', student), ('teacher', teacher)):
            self._check_side(side + where, feature)
        got = f'{self._name}: got student{where} {tuple(student.shape)} and teacher{where} {tuple(teacher.shape)}'
        if student.shape[0] != teacher.shape[0]:
            raise WrongValueError(f'{got}, expected the same batch size N')
        if student.shape[0] == 0:
            raise WrongValueError(f'{got}, expected at least one sample')
        if (self.same_channels or self.same_positions) and student.ndim != teacher.ndim:
            raise WrongValueError(f'{got}, expected the same layout on both sides')
        channel = -1 if student.ndim == 3 else 1
        if (self.same_channels or self.same_classes) and student.shape[channel] != teacher.shape[channel]:
            raise WrongValueError(f'{got}, expected equal {self._remedy(student)}')
        if self.same_positions and _positions(student) != _positions(teacher):
            raise WrongValueError(f'{got}, expected equal time and space; match them before the loss')

    def build_for(self, **channels: int | Sequence[int] | None) -> None:
        """Note the channels for which a loss has learned parts or a memory; others are refused.

        Args:
            **channels: ``student_channels`` and ``teacher_channels`` as the constructor takes them: one number, or one
                for each layer; None is not checked.

        Raises:
            ValueError: A number is no whole one above 0.
        """
        for key, given in channels.items():
            counts = list(given) if isinstance(given, Sequence) else [given]
            self._built_for[key] = [None if count is None else whole(key, count, 1) for count in counts]

    def _check_built_for(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> None:
        for key, expected in self._built_for.items():
            side = key.removesuffix('_channels')
            features = student if side == 'student' else teacher
            if len(features) != len(expected):
                raise WrongValueError(f'{self._name}: got {len(features)} {side} layers, but {key} has {len(expected)}')
            for index, (feature, count) in enumerate(zip(features, expected, strict=True)):
                got = math.prod(feature.shape[1:]) if self.flattens else feature.shape[-1 if feature.ndim == 3 else 1]
                if count is not None and got != count:
                    where = f'{side} layer {index}' if self.multi_layer else side
                    raise WrongValueError(
                        f'{self._name}: got {where} {tuple(feature.shape)} with {got} channels, but it was built with '
                        f'{key}={count}; a term fills that in'
                    )

    def _check_side(self, side: str, feature: Tensor) -> None:
        if not isinstance(feature, Tensor):
            raise WrongTypeError(f'{self._name}: got {type(feature).__name__} as {side}, expected a Tensor')
        layouts = (*self.layouts, 'tokens', 'map') if self.flattens else self.layouts
        ranks = {rank for layout in layouts for rank in RANKS[layout]} - ({4} if self.clips_only else set())
        if feature.ndim not in ranks:
            expected = ' or '.join(SHAPES[layout] for layout in layouts)
            expected = expected.replace(' or (N, C, H, W)', '') if self.clips_only else expected
            raise WrongValueError(f'{self._name}: got {side} of shape {tuple(feature.shape)}, expected {expected}')
        if not feature.is_floating_point():
            raise WrongTypeError(f'{self._name}: got {side} of {feature.dtype}, expected a floating point Tensor')
        if feature.shape[1] < self.min_classes:
            raise WrongValueError(
                f'{self._name}: got {side} with {feature.shape[1]} classes, expected at least {self.min_classes}'
            )

    def _remedy(self, student: Tensor) -> str:
        if self.same_classes and student.ndim == 2:
            return "class counts K; choose the student's classes with `classes` of the teacher"
        return 'channels C; put a connector before the loss'


def _positions(feature: Tensor) -> tuple[int, ...]:
    return tuple(feature.shape[1:-1] if feature.ndim == 3 else feature.shape[2:])


def _map_tensors(function: Callable[[Tensor], Tensor], features: Features) -> Features:
    return function(features) if isinstance(features, Tensor) else [function(feature) for feature in features]


def _by_name(side: str, features: Features) -> dict[str, Tensor]:
    if isinstance(features, Tensor):
        return {side: features}
    return {f'{side} layer {index}': feature for index, feature in enumerate(features)}


def _may_overflow(student: Features) -> bool:
    """Tell whether the student was computed in float16, whose overflows gradient scaling skips."""
    first = student if isinstance(student, Tensor) else student[0]
    kind = first.device.type
    half = torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.float16
    return half or first.dtype == torch.float16


def _widened(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def _precision(loss: nn.Module, student: Features) -> torch.dtype:
    """Return what a loss computes in: what its learned parts are in, else what the student is in, at least float32."""
    layers = [student] if isinstance(student, Tensor) else student
    name, parameter = next(loss.named_parameters(), ('', None))
    if parameter is None:
        return torch.float64 if any(layer.dtype == torch.float64 for layer in layers) else torch.float32
    if parameter.dtype not in (torch.float32, torch.float64):
        raise WrongTypeError(
            f'{type(loss).__name__}: its learned {name!r} is {parameter.dtype}, expected torch.float32 or '
            'torch.float64; call float() on the loss and train in half precision with AMP'
        )
    return parameter.dtype


def _as_tensor(kind: str, name: str, value: object) -> object:
    """Return a list or NumPy array as a Tensor; all else as it is."""
    if isinstance(value, Tensor) or callable(value) or value is None:
        return value
    try:
        if isinstance(value, Sequence) and value and isinstance(value[0], Tensor):
            return torch.stack(list(value))
        return torch.tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise WrongValueError(
            f'{kind}: got {name} as a {type(value).__name__} that is no array of numbers, expected a Tensor, a NumPy '
            'array or a list of numbers, its rows equally long'
        ) from None


def in_float32(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Decorate the ``forward(self, student, teacher, ...)`` of a :class:`DistillLoss`.

    The two sides are checked, the teacher is detached (but see :func:`gradient_to_teacher`), autocast is off inside,
    and both sides are brought to one precision: that of the learned parts of the loss, else float32, or float64 where
    the student is float64. The scalar is returned in float32, or float64 where the student is float64. A keyword
    without default must be given; lists and NumPy arrays become Tensors. What is not finite is refused by
    :class:`~mmkd_video.losses.finite.FiniteWatch`.

    Raises:
        ValueError: Such a keyword (``labels``, ...) is missing, None or no array, or a tensor holds NaN or infinity.
        TypeError: The loss has learned parts in half precision.
    """
    keywords = list(inspect.signature(forward).parameters.values())[3:]
    needed = [keyword.name for keyword in keywords if keyword.default is keyword.empty]

    @functools.wraps(forward)
    def checked(self: DistillLoss, student: Features, teacher: Features, **given: object) -> Tensor:
        for name in needed:
            if given.get(name) is None:
                raise WrongValueError(
                    f'{type(self).__name__}: got no {name}, expected {name}=...; the loss is undefined without'
                )
        self.check(student, teacher)
        may_overflow = _may_overflow(student)
        first = student if isinstance(student, Tensor) else student[0]
        precision = _precision(self, student)
        student = _map_tensors(lambda tensor: tensor.to(precision), student)
        teacher = teacher if _teacher_learns else _map_tensors(Tensor.detach, teacher)
        teacher = _map_tensors(lambda tensor: tensor.to(precision), teacher)
        given = {key: _as_tensor(type(self).__name__, key, value) for key, value in given.items()}
        floats = {key: value for key, value in given.items() if isinstance(value, Tensor) and value.is_floating_point()}
        with torch.autocast(first.device.type, enabled=False):
            self._finite.inputs(
                self, _by_name('teacher', teacher) | floats | _by_name('student', student), may_overflow
            )
            value = forward(self, student, teacher, **given).to(_widened(first.dtype))
            self._finite.value(self, value)
            return value

    return checked
