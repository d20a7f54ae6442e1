"""Checks that terms and schedules begin within the training."""

from collections.abc import Iterable

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.schedules import LearnedScalar, Progress, Scalar, Schedule
from mmkd_video.terms import Term


def expect_begins_within(task_weight: Scalar, terms: Iterable[Term], progress: Progress) -> None:
    """Check that no term and no schedule begins after the end of the training.

    Args:
        task_weight: Task weight of the Distiller.
        terms: All of them.
        progress: Position within the training, and its length.

    Raises:
        ValueError: One does; the message names it.
    """
    epochs = -(-progress.max_iters // max(progress.iters_per_epoch, 1))
    _expect('task_weight', task_weight.schedule, epochs, progress.max_iters)
    for term in terms:
        where = f'term {term.name!r}'
        if term.begin >= epochs:
            raise WrongValueError(
                f'{where}.begin: got {term.begin}; expected less than the {epochs} epochs of this training, else the '
                'term never acts'
            )
        _expect(f'{where}.weight', term.weight.schedule, epochs, progress.max_iters)
        scalars = {key: scalar.schedule for key, scalar in term.scalars.items()}
        for key, schedule in {**scalars, **term.learned}.items():
            _expect(f'{where}.{key}', schedule, epochs, progress.max_iters)


def _expect(where: str, schedule: Schedule | LearnedScalar | None, epochs: int, iterations: int) -> None:
    if schedule is None:
        return
    length, unit = (epochs, 'epochs') if schedule.by_epoch else (iterations, 'iterations')
    if schedule.begin >= length:
        raise WrongValueError(
            f'{where}.begin: got {schedule.begin}; expected less than the {length} {unit} of this training, else the '
            'schedule never moves'
        )
