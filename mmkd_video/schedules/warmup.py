"""Warm-up schedule."""

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.schedules.schedule import Schedule


@TASK_UTILS.register_module(name='Warmup')
@checked()
class WarmupSchedule(Schedule):
    """From a share of ``value`` up to ``value``, in equal steps; reaches it at ``end`` (Zhao et al., DKD, CVPR 2022).

    Args:
        start_factor: Factor at ``begin``; the authors use ``1 / end``, and 0 leaves the first step without the term.
        **clock: ``value``, ``begin``, ``end``, ``by_epoch`` of :class:`Schedule`.
    """

    def __init__(self, start_factor: float = 0.0, **clock) -> None:
        super().__init__(**clock)
        self.start_factor = start_factor

    def at(self, step: int, length: int) -> float:
        """See :meth:`Schedule.at`."""
        done = step / max(length - 1, 1)
        return self.value * (self.start_factor + (1.0 - self.start_factor) * done)
