"""The base of all schedules, and the progress that they follow."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from mmkd_video.core.checked import Optional, Whole, checked
from mmkd_video.core.mistakes import WrongValueError

ASSUMED_LENGTH = 10**6  # steps of a training whose length is not known yet


@dataclass(frozen=True)
class Progress:
    """The progress of a training; schedules are pure functions of it and store no state.

    Attributes:
        iter: Iterations done, from 0.
        epoch: Epochs done, from 0.
        iters_per_epoch: Iterations in an epoch.
        max_iters: Iterations in the whole training.
    """

    iter: int
    epoch: int
    iters_per_epoch: int
    max_iters: int


@checked(begin=Whole(0), end=Optional(Whole(1), 'the end of training'))
class Schedule(ABC):
    """A scalar over training.

    ``begin``, ``end`` and ``by_epoch`` mean what they mean in MMEngine's ``ParamScheduler``: the scalar moves in
    ``[begin, end)``, in epochs or iterations. Unlike there, it rests at its first value before ``begin`` instead of
    leaving a foreign value untouched.

    Args:
        value: The base value that the schedule shapes.
        begin: First epoch or iteration at which the scalar moves.
        end: Epoch or iteration after which it rests; None for the end of training.
        by_epoch: Whether ``begin`` and ``end`` count epochs; else iterations.

    Raises:
        ValueError: ``end`` does not lie behind ``begin``.
    """

    def __init__(self, value: float = 1.0, begin: int = 0, end: int | None = None, by_epoch: bool = True) -> None:
        if end is not None and end <= begin:
            raise WrongValueError(f'got begin={begin} and end={end}; expected 0 <= begin < end')
        self.value = value
        self.begin = begin
        self.end = end
        self.by_epoch = by_epoch

    def __call__(self, progress: Progress) -> float:
        """Return the scalar at ``progress``."""
        now = progress.epoch if self.by_epoch else progress.iter
        end = self.end
        if end is None:
            end = progress.max_iters
            if self.by_epoch:
                end = -(-progress.max_iters // max(progress.iters_per_epoch, 1))
        length = max(end - self.begin, 1)
        return self.at(min(max(now - self.begin, 0), length - 1), length)

    def reaches(self) -> tuple[float, ...]:
        """Return the ends of the range of the scalar, which it may both take."""
        length = ASSUMED_LENGTH if self.end is None else self.end - self.begin
        return self.at(0, length), self.at(length - 1, length)

    @abstractmethod
    def at(self, step: int, length: int) -> float:
        """Return the scalar ``step`` steps after ``begin``.

        Args:
            step: Number of the step, from 0 to ``length - 1``.
            length: Number of steps in ``[begin, end)``.
        """
