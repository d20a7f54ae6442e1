"""Cosine schedule."""

import math

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.schedules.schedule import Schedule


@TASK_UTILS.register_module(name='Cosine')
@checked()
class CosineSchedule(Schedule):
    """From ``value`` to ``eta_min`` along half a cosine (MMEngine's ``CosineAnnealingParamScheduler``).

    Args:
        eta_min: The value that is approached.
        **clock: ``value``, ``begin``, ``end``, ``by_epoch`` of :class:`Schedule`.
    """

    def __init__(self, eta_min: float = 0.0, **clock) -> None:
        super().__init__(**clock)
        self.eta_min = eta_min

    def at(self, step: int, length: int) -> float:
        """See :meth:`Schedule.at`."""
        return self.eta_min + (self.value - self.eta_min) * (1 + math.cos(math.pi * step / length)) / 2
