"""Gradient norms of the task and of the terms, measured where the terms read the student."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from mmkd_video.taps import Place
from mmkd_video.weightings import Norms

HEADROOM = (1024.0, 1.0)  # in half precision, gradients of means over a batch may vanish; with it, large ones overflow

UNREACHED = (
    'the gradient of the term cannot be measured where it reads the student, so it cannot be balanced; tap another '
    'module, or give the term a number: weight=1.0'
)


def measure(raw: Tensor, task: Tensor, places: Sequence[Place]) -> Norms | None:
    """Return both gradient norms at some taps, the root of the mean over ranks of the squares.

    Args:
        raw: 0-d loss of a term.
        task: 0-d sum of the student's own losses.
        places: The taps.

    Returns:
        None where the task has no gradient there (no labelled clip in the batch, or a tap off its way), or where one is
        not finite, on all ranks together.

    Raises:
        ValueError: The term's graph does not reach the taps.
    """
    try:
        term_square = _square(raw, _distinct(place.read for place in places))
        task_square = _square(task, _distinct(place.passed for place in places))
    except RuntimeError as error:  # a reentrant activation checkpoint, for one
        raise ValueError(f'{UNREACHED} ({error})') from error
    if term_square is None:
        raise ValueError(UNREACHED)
    both = torch.stack([term_square, torch.zeros_like(term_square) if task_square is None else task_square])
    all_reduce(both, 'mean')
    term, task_norm = both.sqrt()
    usable = torch.isfinite(both).all() & (task_norm > 0)
    return Norms(term, task_norm) if bool(usable) else None


def _distinct(tensors: Iterable[Tensor]) -> list[Tensor]:
    return list({id(tensor): tensor for tensor in tensors}.values())


def _square(loss: Tensor, tensors: Sequence[Tensor]) -> Tensor | None:
    """Return the squared norm of a loss's gradient to some tensors; None where it reaches none of them."""
    if not loss.requires_grad:
        return None
    for headroom in HEADROOM:
        found = torch.autograd.grad(loss * headroom, tensors, retain_graph=True, allow_unused=True)
        squares = [(gradient.detach().double() / headroom).square().sum() for gradient in found if gradient is not None]
        if not squares:
            return None
        square = torch.stack(squares).sum()
        if torch.isfinite(square):
            break
    return square


class GradientWatch:
    """Measure the gradients of all terms now and then, for the log, and keep what was measured last.

    Args:
        interval: Steps between two looks; a weighting that measures in a step is not asked again.
    """

    def __init__(self, interval: int = 50) -> None:
        self.interval = interval
        self.last: dict[str, Norms] = {}
        self._fresh: dict[str, Norms | None] = {}

    def begin_step(self) -> None:
        """Forget what was measured in the step before; what was seen last stays."""
        self._fresh = {}

    def asker(self, name: str, raw: Tensor, task: Tensor, places: Sequence[Place]) -> Callable[[], Norms | None]:
        """Return a function that measures a term once in a step, however often it is called."""

        def ask() -> Norms | None:
            if name not in self._fresh:
                self._fresh[name] = measure(raw, task, places)
                if self._fresh[name] is not None:
                    self.last[name] = self._fresh[name]
            return self._fresh[name]

        return ask

    def shown(self, name: str, factor: Tensor | float, task_factor: Tensor | float) -> Mapping[str, Tensor]:
        """Return what the log says of a term: its gradient as weighted, and the task's at the same place.

        Args:
            name: Of the term.
            factor: What the term's loss is multiplied by.
            task_factor: What the task's losses are.
        """
        norms = self.last.get(name)
        if norms is None:
            return {}
        return {
            f'{name}_grad': (norms.term * factor).detach().float(),
            f'{name}_task_grad': (norms.task * task_factor).detach().float(),
        }
