"""What the first steps of a training show, and nothing before them."""

from collections.abc import Iterable, Mapping
from typing import NoReturn

from mmengine.logging import MessageHub
from torch import Tensor

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.terms import Term


def check_first_step(terms: Iterable[str], losses: Mapping[str, object]) -> None:
    """Check names of terms against the student's own losses.

    Args:
        terms: Names of the terms.
        losses: The student's own losses, of a step with gradients.

    Raises:
        ValueError: A term would hide a loss.
    """
    for name in terms:
        taken = {f'loss_{name}', f'{name}_raw'} & set(losses)
        if taken:
            raise WrongValueError(
                f"terms: the name {name!r} would hide the student's own {min(taken)!r}; "
                "give the term another with name='...'"
            )


class TapCheck:
    """Check once, for each of the student's taps, that gradients reach the student from it.

    A tap that only waiting terms read is checked in the first step in which one of them acts.

    Args:
        taps: The student's taps.
    """

    def __init__(self, taps: Iterable[str]) -> None:
        self._left = set(taps)

    def __call__(self, student: Mapping[str, Tensor], terms: Iterable[Term]) -> None:
        """Check what has not been checked yet.

        Args:
            student: The student's features by tap, of a step with gradients.
            terms: The terms, moved to this step.

        Raises:
            ValueError: No gradient leads to the student from a tap.
        """
        if not self._left:
            return
        reading = [(term.acting, {pair.taps[0] for pair in term.pairs}) for term in terms]
        waiting = set().union(*(taps for _, taps in reading)) - set().union(*(taps for acts, taps in reading if acts))
        for name in self._left - waiting:
            if not student[name].requires_grad:
                raise WrongValueError(
                    f'student tap {name!r}: no gradient reaches the student from here; the module is frozen '
                    '(frozen_stages, FreezeHook) or runs inside a reentrant activation checkpoint: tap a later module, '
                    'or let the term begin=<epoch> when it is unfrozen'
                )
        self._left &= waiting


def runner_trains(hub: MessageHub) -> bool:
    """Return whether a runner's training loop is under way.

    Args:
        hub: MMEngine's hub, in which runners note what they do.
    """
    return hub.runtime_info.get('loop_stage') == 'train'


def refuse_without_hook(hub: MessageHub) -> NoReturn:
    """Refuse to train without DistillHook.

    Args:
        hub: MMEngine's hub, in which runners note what they do.

    Raises:
        ValueError: Always.
    """
    hub.pop_info('loop_stage')  # this error ends the loop, and nobody else would say so
    raise WrongValueError(
        'DistillHook is not registered: schedules would not move and checkpoints would lose the connectors; '
        "inherit configs/_base_/mmkd.py, or add dict(type='DistillHook') to custom_hooks"
    )
