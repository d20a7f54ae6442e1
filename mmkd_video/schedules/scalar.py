"""A number of a config that may be a schedule."""

import difflib

import torch
from torch import Tensor

from mmkd_video.registry import TASK_UTILS
from mmkd_video.schedules.schedule import Progress, Schedule

SCHEDULES = ('Linear', 'Cosine', 'Warmup', 'Step')


def is_schedule(value: object) -> bool:
    """Tell whether a config value describes a schedule."""
    return isinstance(value, dict) and 'type' in value


def build_schedule(config: dict, key: str) -> Schedule:
    """Build a schedule from its config.

    Args:
        config: ``dict(type='Linear'|'Cosine'|'Warmup'|'Step', value=, begin=, end=, by_epoch=, ...)``.
        key: The key that holds it, for messages.

    Raises:
        KeyError: Unknown schedule type.
        ValueError: Wrong arguments.
    """
    kind = config['type']
    if kind not in SCHEDULES:
        nearest = difflib.get_close_matches(str(kind), SCHEDULES, n=1, cutoff=0.0)[0]
        raise KeyError(f'{key}: unknown schedule type {kind!r}; expected one of {SCHEDULES}; did you mean {nearest!r}?')
    try:
        return TASK_UTILS.build(dict(config))
    except TypeError as error:
        raise ValueError(f'{key}: {error}') from None


class Scalar:
    """A number, fixed or scheduled, readable as a 0-d tensor that moves in place, so that nothing recompiles.

    Args:
        value: A number or the config of a schedule.
        key: The key that holds it, for messages.

    Raises:
        TypeError: Neither a number nor a schedule.
    """

    def __init__(self, value: float | dict, key: str) -> None:
        self.schedule = build_schedule(value, key) if is_schedule(value) else None
        if self.schedule is None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise TypeError(
                f"{key}: got {value!r}; expected a number or a schedule such as dict(type='Linear', end=10)"
            )
        first = self.schedule(Progress(0, 0, 1, 1)) if self.schedule else value
        self.tensor = torch.tensor(float(first))
        self.fixed = None if self.schedule else float(value)

    def reaches(self) -> tuple[float, ...]:
        """Return values between which the number always lies, all of which it may take."""
        return (self.fixed,) if self.schedule is None else self.schedule.reaches()

    def move(self, progress: Progress) -> None:
        """Set the tensor to the value at ``progress``."""
        if self.schedule is not None:
            self.tensor.fill_(self.schedule(progress))

    def read(self, like: Tensor) -> float | Tensor:
        """Return the number: a float if fixed, else the tensor on the device of ``like``."""
        if self.fixed is not None:
            return self.fixed
        if self.tensor.device != like.device:
            self.tensor = self.tensor.to(like.device)
        return self.tensor
