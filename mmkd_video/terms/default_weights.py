"""Weights of the terms whose config names none."""

from collections.abc import Iterable, Sequence

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.schedules import Scalar
from mmkd_video.terms.spec import TermSpec
from mmkd_video.terms.term import Term

DEFAULT_SHARE = 0.5
"""Part of the task's weight that all terms without a weight of their own take over, together."""


def fill_weights(specs: Sequence[TermSpec], task_weight: Scalar) -> None:
    """Balance the terms whose config names no weight; where the task's weight is 0, their weight is 1.

    Args:
        specs: The terms; they are changed.
        task_weight: Task weight of the distiller.
    """
    left_out = [spec for spec in specs if spec.weight is None]
    for spec in left_out:
        spec.weight = 1.0 if task_weight.fixed == 0 else dict(type='Balanced', share=DEFAULT_SHARE / len(left_out))


def expect_shares(terms: Iterable[Term], task_weight: Scalar) -> None:
    """Check that the shares of all weightings leave a share for the task.

    Args:
        terms: All of them.
        task_weight: Task weight of the distiller.

    Raises:
        ValueError: The shares of all terms leave the task nothing.
    """
    shares = {term.name: term.weighting.share for term in terms if term.weighting is not None}
    if task_weight.fixed != 0 and sum(shares.values()) >= 1:
        raise WrongValueError(
            f'terms: the shares of the weights are {shares}; their sum must be below 1, for the rest is what the task '
            'keeps. Give them smaller shares'
        )
