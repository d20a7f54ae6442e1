"""A moving average of a recognizer: of its weights, and of its statistics or a copy of them."""

import copy

import torch
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError


class MovingAverage(nn.Module):
    """A copy of a recognizer that follows it slowly; it stays in ``eval()`` and gets no gradient.

    After update number ``n`` (from 0) it is ``m * average + (1 - m) * recognizer``. With ``warmup``, ``m`` is
    ``min(momentum, 1 - 1 / (n + 1))``: of the first ``1 / (1 - momentum)`` updates it is the plain mean, so that it
    does not remember the weights before the training.

    Args:
        model: The recognizer.
        momentum: Share of the average that an update leaves, from 0.5 to below 1.
        warmup: Whether the momentum is smaller in the first updates.
        buffers: Treatment of batch norms' statistics: ``'copy'``, those of the recognizer; ``'average'``, averaged as
            weights are.
    """

    def __init__(self, model: nn.Module, momentum: float, warmup: bool, buffers: str) -> None:
        super().__init__()
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self.momentum, self.warmup, self.buffers_kept = momentum, warmup, buffers
        self.register_buffer('updates', torch.zeros((), dtype=torch.long))

    def train(self, mode: bool = True) -> 'MovingAverage':
        """Stay in ``eval()``: the average answers without dropout and with its own statistics."""
        return super().train(False)

    @torch.no_grad()
    def begin_as(self, model: nn.Module) -> None:
        """Take all weights and buffers of a recognizer as they are.

        Args:
            model: The recognizer.

        Raises:
            ValueError: It has other parameters than its copy.
        """
        for mine, theirs in self._pairs(model):
            mine.copy_(theirs)

    @torch.no_grad()
    def follow(self, model: nn.Module, moved: Tensor) -> None:
        """Move towards a recognizer, without waiting for an accelerator.

        Args:
            model: The recognizer.
            moved: 0-d truth: whether its weights have changed since the last call. Where not, nothing happens.

        Raises:
            ValueError: It has other parameters than its copy.
        """
        momentum = torch.as_tensor(self.momentum, dtype=torch.float64, device=self.updates.device)
        if self.warmup:
            momentum = torch.minimum(momentum, 1 - 1 / (self.updates + 1).double())
        weight = torch.where(moved, 1 - momentum, torch.zeros_like(momentum))
        floating = {id(parameter) for parameter in self.model.parameters()}
        for mine, theirs in self._pairs(model):
            averaged = id(mine) in floating or (self.buffers_kept == 'average' and mine.is_floating_point())
            mine.copy_(mine.lerp(theirs.to(mine), weight.to(mine)) if averaged else torch.where(moved, theirs, mine))
        self.updates += moved.to(self.updates)

    def _pairs(self, model: nn.Module) -> list[tuple[Tensor, Tensor]]:
        """Return each of its own tensors with the recognizer's of the same name."""
        theirs = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        mine = {**dict(self.model.named_parameters()), **dict(self.model.named_buffers())}
        other = next((name for name in {**mine, **theirs} if name not in mine or name not in theirs), None)
        if other is None:
            other = next((name for name in mine if mine[name].shape != theirs[name].shape), None)
        if other is not None:
            raise WrongValueError(
                f'EMATeacher: the student has become another model than its moving average ({other!r}); expected one '
                'that changes by training and PruningHook alone: leave out what changes its modules, such as QATHook, '
                'or take another teacher'
            )
        return [(mine[name], theirs[name]) for name in mine]


def norms_of(model: nn.Module) -> Tensor:
    """Return the norm of every parameter ``(P,)``: it changes with the weights, and nothing has to wait for it.

    Args:
        model: The recognizer.
    """
    with torch.no_grad():
        return torch.stack([torch.linalg.vector_norm(each, dtype=torch.float64) for each in model.parameters()])
