"""Step schedule."""

from collections.abc import Sequence

from mmkd_video.core.checked import ListOf, Number, Optional, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.schedules.schedule import Schedule


@TASK_UTILS.register_module(name='Step')
@checked(gamma=Number(), step_size=Optional(Whole(1)), milestones=Optional(ListOf(Whole(0))))
class StepSchedule(Schedule):
    """``value`` times ``gamma`` at each step (MMEngine's ``StepParamScheduler`` and ``MultiStepParamScheduler``).

    Args:
        gamma: Factor of one step.
        step_size: A step every so many epochs or iterations.
        milestones: Epochs or iterations of the steps, counted from ``begin``.
        **clock: ``value``, ``begin``, ``end``, ``by_epoch`` of :class:`Schedule`.

    Raises:
        ValueError: Not exactly one of ``step_size`` and ``milestones`` is given.
    """

    def __init__(
        self, gamma: float = 0.1, step_size: int | None = None, milestones: Sequence[int] | None = None, **clock
    ) -> None:
        super().__init__(**clock)
        if (step_size is None) == (milestones is None):
            raise WrongValueError(
                f'got step_size={step_size} and milestones={milestones}; expected exactly one of them'
            )
        self.gamma = gamma
        self.step_size = step_size
        self.milestones = None if milestones is None else sorted(milestones)

    def reaches(self) -> tuple[float, ...]:
        """See :meth:`Schedule.reaches`; a negative factor changes the sign with every step."""
        steps = 1 if self.milestones is None else len(self.milestones)
        if self.step_size is not None and self.end is not None:
            steps = max((self.end - self.begin - 1) // self.step_size, 1)
        return tuple(self.value * self.gamma**step for step in (0, 1, steps))

    def at(self, step: int, length: int) -> float:
        """See :meth:`Schedule.at`."""
        if self.step_size is not None:
            return self.value * self.gamma ** (step // self.step_size)
        return self.value * self.gamma ** sum(step >= milestone for milestone in self.milestones)
