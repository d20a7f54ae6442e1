"""Linear schedule."""

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.schedules.schedule import Schedule


@TASK_UTILS.register_module(name='Linear')
@checked()
class LinearSchedule(Schedule):
    """From ``value * start_factor`` to ``value * end_factor`` in equal steps (MMEngine's ``LinearParamScheduler``).

    Args:
        start_factor: Factor at ``begin``.
        end_factor: Factor at the last step before ``end``, and after.
        **clock: ``value``, ``begin``, ``end``, ``by_epoch`` of :class:`Schedule`.
    """

    def __init__(self, start_factor: float = 1.0 / 3, end_factor: float = 1.0, **clock) -> None:
        super().__init__(**clock)
        self.start_factor = start_factor
        self.end_factor = end_factor

    def at(self, step: int, length: int) -> float:
        """See :meth:`Schedule.at`."""
        done = step / max(length - 1, 1)
        return self.value * (self.start_factor + (self.end_factor - self.start_factor) * done)
