"""The base of all weightings, and their inputs in a step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Norms:
    """Gradient norms at the student's taps that a term reads, over all ranks.

    Attributes:
        term: 0-d, of the term's loss, not weighted.
        task: 0-d, of the student's own losses, before ``task_weight``.
    """

    term: Tensor
    task: Tensor


@dataclass(frozen=True)
class WeightingStep:
    """The inputs of a weighting in one step.

    Attributes:
        name: Name of the term that is weighed.
        raws: Loss of every acting term by name, 0-d, not weighted, without gradient.
        task: Sum of the student's own losses, 0-d, before ``task_weight``, without gradient.
        measure: Function that returns the term's :class:`Norms`, or None without a measurement (no labelled clip in
            the batch, a tap off the task's way, an overflow in half precision). It costs a backward pass of the task
            down to the term's taps, and one of the term.
    """

    name: str
    raws: Mapping[str, Tensor]
    task: Tensor
    measure: Callable[[], Norms | None]


class Weighting(nn.Module):
    """A factor for a term's loss that is computed in each step.

    A subclass is registered in ``TASK_UTILS`` and named in a config as ``weight=dict(type=...)`` of a term. It is a
    module of the training state: what it keeps in buffers is resumed exactly and is the same on every rank at the
    start; its parameters, if any, are trained with the connectors.

    Args:
        share: Part of the task's weight that the term takes over, from 0 to below 1: the task's losses are multiplied
            by 1 minus the sum over all acting terms.
    """

    def __init__(self, share: float = 0.0) -> None:
        super().__init__()
        self.share = float(share)

    def forward(self, step: WeightingStep) -> Tensor:
        """Return the factor of the term's loss, 0-d.

        Args:
            step: Inputs of this step.
        """
        raise NotImplementedError(f'{type(self).__name__} must say in forward(step) how much a term weighs')

    def penalty(self) -> Tensor | None:
        """Return what is added to the weighted loss, 0-d, for the parameters of a weighting that learns; None: nothing.

        A weight that is trained to make the loss small would vanish without.
        """
        return None
