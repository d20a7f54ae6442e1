"""A number in a config that may be a schedule."""

import inspect
from collections.abc import Mapping

import torch
from torch import Tensor

from mmkd_video.core.checked import Number, Scheduled, did_you_mean, keys_of
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.schedules.schedule import Progress, Schedule

ANY_NUMBER = Number()


def is_schedule(value: object) -> bool:
    """Return whether a config value describes a schedule."""
    return isinstance(value, Mapping) and 'type' in value


def build_schedule(config: dict, key: str) -> Schedule:
    """Build a schedule from its config.

    Args:
        config: ``dict(type='Linear'|'Cosine'|'Warmup'|'Step', value=, begin=, end=, by_epoch=, ...)``.
        key: The key that holds it, for messages.

    Raises:
        KeyError: Unknown schedule type or argument.
        ValueError: A wrong argument.
    """
    kind = config['type']
    found = TASK_UTILS.get(kind) if isinstance(kind, str) else kind
    if not _is_schedule_class(found):
        known = tuple(known_schedules())
        hint = did_you_mean(kind, known) or 'a number is written as it is'
        raise WrongKeyError(f'{key}.type: got the unknown schedule type {kind!r}; expected one of {known}; {hint}')
    arguments = {name: value for name, value in config.items() if name != 'type'}
    keys_of(found).check(key, arguments)
    try:
        return TASK_UTILS.build(dict(config))
    except ValueError as error:
        raise WrongValueError(f'{key}: {error}') from None


def _is_schedule_class(found: object) -> bool:
    return inspect.isclass(found) and issubclass(found, Schedule)


def known_schedules() -> dict[str, type[Schedule]]:
    """Return every registered schedule by its name; those of users too."""
    return {name: each for name, each in TASK_UTILS.module_dict.items() if _is_schedule_class(each)}


class Scalar:
    """A number, fixed or scheduled, readable as a 0-d tensor that moves in place, so that nothing recompiles.

    Args:
        value: A number or the config of a schedule.
        key: The key that holds it, for messages.
        kind: Kind of the number, at all times.

    Raises:
        KeyError: An unknown schedule, or an unknown argument of one.
        ValueError: Neither a number nor a schedule, or one that leaves its range.
    """

    def __init__(self, value: float | dict, key: str, kind: Number = ANY_NUMBER) -> None:
        Scheduled(kind).check(key, value)
        self.schedule = build_schedule(value, key) if is_schedule(value) else None
        for reached in self.schedule.reaches() if self.schedule else ():
            if not kind.accepts(reached):
                raise WrongValueError(f'{key}: its schedule reaches {reached:g}; expected {kind.expected}')
        first = self.schedule(Progress(0, 0, 1, 1)) if self.schedule else value
        self.tensor = torch.tensor(float(first))
        self.fixed = None if self.schedule else float(value)
        self._own, self._factor = self.fixed, 1.0

    def reaches(self) -> tuple[float, ...]:
        """Return the ends of the range of the number, which it may both take."""
        return (self.fixed,) if self.schedule is None else self.schedule.reaches()

    def move(self, progress: Progress) -> None:
        """Set the tensor to the value at ``progress``."""
        if self.schedule is not None:
            self.tensor.fill_(self.schedule(progress) * self._factor)

    def rescale(self, factor: float) -> None:
        """Multiply the number, or what its schedule says from the next move on.

        Args:
            factor: Factor on what the config says; a later one takes the place of an earlier one.
        """
        self._factor = factor
        if self._own is not None:
            self.fixed = self._own * factor
            self.tensor.fill_(self.fixed)

    def read(self, like: Tensor) -> float | Tensor:
        """Return the number: a float if fixed, else the tensor on the device of ``like``."""
        if self.fixed is not None:
            return self.fixed
        if self.tensor.device != like.device:
            self.tensor = self.tensor.to(like.device)
        return self.tensor
