"""Steps that are tried out and taken back."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from mmkd_video.core.restoring import random_state_restored
from mmkd_video.meta.learner import Learner, gradients_of
from mmkd_video.meta.ranks import average_over_ranks


class Rehearsal:
    """A step of a distillation that is tried out: what the batch at hand would do to clips that are held back.

    The student keeps its weights and statistics, the training state its memories, and the random generators their
    state: the step that follows is the one that would have come without. All ranks see the mean of their gradients.

    Args:
        learner: The student, with its teachers.
        rate: Learning rate of the step, which is plain gradient descent.
    """

    def __init__(self, learner: Learner, rate: float) -> None:
        self.learner, self.rate = learner, rate
        self.parameters = learner.parameters()

    @contextmanager
    def without_trace(self) -> Iterator[None]:
        """Restore all that a pass in training moves after the block."""
        state = self.learner.model.training_state
        moved = {name: each.clone() for name, each in state.named_buffers()}
        with random_state_restored(next(iter(self.parameters.values())).device):
            yield
        with torch.no_grad():
            for name, each in state.named_buffers():
                each.copy_(moved[name])
        # as a resume does, so that what modules remember of their buffers is read again
        self.learner.model.load_training_state_dict(self.learner.model.training_state_dict())

    def losses(self, batch: Mapping) -> dict[str, Any]:
        """Return the losses of a training batch as its step will compute them, with a graph.

        Args:
            batch: Batch of the loader; it stays as it is.
        """
        given = dict(batch, data_samples=copy.deepcopy(batch['data_samples']))
        return self.learner.losses(self.learner.prepare(given, True), self.parameters)

    def gradients(self, objective: Tensor, graph: bool = False) -> list[Tensor]:
        """Return this rank's gradient of an objective for each parameter of the student.

        Args:
            objective: 0-d.
            graph: Whether the gradients are to be differentiated again.
        """
        if not graph:
            return gradients_of(objective, list(self.parameters.values()), more=True)
        found = torch.autograd.grad(objective, list(self.parameters.values()), create_graph=True, allow_unused=True)
        return [torch.zeros_like(p) if g is None else g for p, g in zip(self.parameters.values(), found, strict=True)]

    def judge(self, slopes: Sequence[Tensor], held_back: Mapping) -> tuple[list[Tensor], Tensor]:
        """Return the gradient of the loss on held-back clips after a step, and that loss.

        Args:
            slopes: Gradient of each parameter, over all ranks; the step goes against it.
            held_back: Batch of clips that are held back.

        Returns:
            The gradient for each parameter over all ranks, and this rank's loss, 0-d.
        """
        after = {
            name: (each.detach() - self.rate * slope).requires_grad_(True)
            for (name, each), slope in zip(self.parameters.items(), slopes, strict=True)
        }
        with self.learner.judged('batch'):
            batch = self.learner.prepare(held_back, False)
            loss = self.learner.objective(self.learner.losses(batch, after, terms=False))[0]
            found = gradients_of(loss, list(after.values()))
        return average_over_ranks(found), loss.detach()
