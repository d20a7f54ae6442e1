"""Gradient norms of the task and of the terms, measured where the terms read the student."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.taps import Place
from mmkd_video.weightings import Norms

HEADROOM = (1024.0, 1.0)  # in half precision, gradients of means over a batch may vanish; with it, large ones overflow

UNREACHED = (
    'the gradient of the term cannot be measured where it reads the student, so it cannot be balanced; tap another '
    'module, or give the term a number: weight=1.0'
)


def gradient_norms(raw: Tensor, task: Tensor, places: Sequence[Place], idle: bool = False) -> Norms | None:
    """Return the gradient norms of a term and of the task at some taps: roots of the mean square over all ranks.

    Every rank takes part in the same collectives, also if its batch holds no label or a gradient fails on it.

    Args:
        raw: 0-d loss of a term.
        task: 0-d sum of the student's own losses.
        places: The taps.
        idle: Whether the term read no clip of this rank's batch, so that its loss has no gradient.

    Returns:
        None where the task has no gradient there (no labelled clip in the batch, or a tap off its way), where the term
        read no clip on any rank, or where a gradient is not finite; on all ranks together.

    Raises:
        ValueError: The term's graph does not reach the taps; on all ranks together.
    """
    read, passed = (_distinct(getattr(place, side) for place in places) for side in ('read', 'passed'))
    for headroom in HEADROOM:
        failed: Exception | None = None
        term_square = task_square = None
        try:
            term_square = None if idle else _square(raw, read, headroom)
            task_square = _square(task, passed, headroom)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # a reentrant activation checkpoint, for one
            failed = error
        unreached = failed is not None or (term_square is None and not idle)
        none = raw.new_zeros((), dtype=torch.float64)
        squares = [none if square is None else square for square in (term_square, task_square)]
        reduced = torch.stack([*squares, none + unreached, none + (not idle)])
        all_reduce(reduced, 'mean')
        term, task_mean, unreached_somewhere, read_somewhere = reduced
        if unreached_somewhere > 0:
            raise WrongValueError(UNREACHED if failed is None else f'{UNREACHED} ({failed})') from failed
        if torch.isfinite(reduced).all():
            return Norms(term.sqrt(), task_mean.sqrt()) if read_somewhere > 0 and task_mean > 0 else None
    return None


def _distinct(tensors: Iterable[Tensor]) -> list[Tensor]:
    return list({id(tensor): tensor for tensor in tensors}.values())


def _square(loss: Tensor, tensors: Sequence[Tensor], headroom: float) -> Tensor | None:
    """Return the squared norm of a loss's gradient to some tensors; None where it reaches none of them."""
    if not loss.requires_grad:
        return None
    found = torch.autograd.grad(loss * headroom, tensors, retain_graph=True, allow_unused=True)
    squares = [(gradient.detach().double() / headroom).square().sum() for gradient in found if gradient is not None]
    return torch.stack(squares).sum() if squares else None


class GradientWatch:
    """Measure the gradients of all terms at intervals, for the log, and keep the last values.

    Args:
        interval: Number of steps between two measurements; a weighting's own measurement in a step is used again.
    """

    def __init__(self, interval: int = 50) -> None:
        self.interval = interval
        self.last: dict[str, Norms] = {}
        self._fresh: dict[str, Norms | None] = {}

    def begin_step(self) -> None:
        """Forget the values of the step before; the last values for the log stay."""
        self._fresh = {}

    def once_a_step(self, name: str, measured: Callable[[], Norms | None]) -> Callable[[], Norms | None]:
        """Return a function that measures a term once in a step, however often it is called.

        Args:
            name: Name of the term.
            measured: Function that measures it.
        """

        def ask() -> Norms | None:
            if name not in self._fresh:
                self._fresh[name] = measured()
                if self._fresh[name] is not None:
                    self.last[name] = self._fresh[name]
            return self._fresh[name]

        return ask

    def log_entries(self, name: str, factor: Tensor | float, task_factor: Tensor | float) -> Mapping[str, Tensor]:
        """Return the log entries of a term: its weighted gradient norm, and the task's at the same taps.

        Args:
            name: Name of the term.
            factor: Factor of the term's loss.
            task_factor: Factor of the task's losses.
        """
        norms = self.last.get(name)
        if norms is None:
            return {}
        return {
            f'{name}_grad': (norms.term * factor).detach().float(),
            f'{name}_task_grad': (norms.task * task_factor).detach().float(),
        }
