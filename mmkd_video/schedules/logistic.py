"""Logistic schedule."""

import math

from mmkd_video.core.checked import Number, checked
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.schedules.schedule import Schedule


@TASK_UTILS.register_module(name='Logistic')
@checked(slope=Number(0, above=True))
class LogisticSchedule(Schedule):
    """From 0 up towards ``value``: ``value * (2 / (1 + exp(-slope * p)) - 1)`` for the part p of the way.

    How the strength of an adversary grows in DANN (https://arxiv.org/abs/1505.07818).

    Args:
        slope: Number above 0; the authors use 10.
        **clock: ``value``, ``begin``, ``end``, ``by_epoch`` of :class:`Schedule`.
    """

    def __init__(self, slope: float = 10.0, **clock) -> None:
        super().__init__(**clock)
        self.slope = slope

    def at(self, step: int, length: int) -> float:
        """See :meth:`Schedule.at`."""
        return self.value * math.tanh(0.5 * self.slope * step / max(length - 1, 1))
