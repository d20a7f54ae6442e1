"""What the first step of a training shows, and nothing before it."""

from collections.abc import Iterable, Mapping

from mmengine.logging import MessageHub
from torch import Tensor

from mmkd_video.core.mistakes import WrongValueError


def check_first_step(terms: Iterable[str], student: Mapping[str, Tensor], losses: Mapping[str, object]) -> None:
    """Check names of terms against the student's own losses, and that gradients reach the student from its taps.

    Args:
        terms: Names of the terms.
        student: The student's features by tap, of a step with gradients.
        losses: The student's own losses.

    Raises:
        ValueError: A term would hide a loss, or no gradient leads to the student from a tap.
    """
    for name in terms:
        taken = {f'loss_{name}', f'{name}_raw'} & set(losses)
        if taken:
            raise WrongValueError(
                f"terms: the name {name!r} would hide the student's own {min(taken)!r}; "
                "give the term another with name='...'"
            )
    for name, feature in student.items():
        if not feature.requires_grad:
            raise WrongValueError(
                f'student tap {name!r}: no gradient reaches the student from here; the module is frozen '
                '(frozen_stages) or runs inside a reentrant activation checkpoint: tap a later module'
            )


def runner_trains(hub: MessageHub) -> bool:
    """Return whether a runner's training loop is under way.

    Args:
        hub: MMEngine's hub, in which runners note what they do.
    """
    return hub.runtime_info.get('loop_stage') == 'train'
