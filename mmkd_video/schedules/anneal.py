"""Annealing schedule."""

from mmkd_video.core.checked import Number, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.schedules.schedule import Schedule


@TASK_UTILS.register_module(name='Anneal')
@checked(value=Number(0, above=True), low=Number(0, above=True))
class AnnealSchedule(Schedule):
    """From a high to a low temperature, each step by the same factor: the cooling of simulated annealing.

    The teacher is shown softened first and sharp at the end, as in Annealing-KD (Jafari et al., EACL 2021,
    https://arxiv.org/abs/2104.07163, which lowers the temperature by one in each epoch), by the geometric cooling of
    Kirkpatrick et al., Science 220, 1983. Its last step is ``low`` itself.

    Args:
        low: Temperature at the end, above 0 and below ``value``.
        **clock: ``value``, ``begin``, ``end``, ``by_epoch`` of :class:`Schedule`.

    Raises:
        ValueError: ``low`` is not below ``value``, or a number is not above 0.
    """

    def __init__(self, low: float = 1.0, value: float = 8.0, **clock) -> None:
        super().__init__(value=value, **clock)
        if low >= value:
            raise WrongValueError(f'got low={low} and value={value}; expected low below value: temperatures fall')
        self.low = low

    def at(self, step: int, length: int) -> float:
        """See :meth:`Schedule.at`."""
        return self.value * (self.low / self.value) ** (step / max(length - 1, 1))
