"""A scalar that is trained against the student."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import Number, Optional, Whole, checked, keys_of
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.schedules.schedule import Progress


class _ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, tensor: Tensor, strength: Tensor) -> Tensor:
        ctx.save_for_backward(strength)
        return tensor.clone()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        (strength,) = ctx.saved_tensors
        return -strength * gradient, None


@checked(strength=Number(0), begin=Whole(0), end=Optional(Whole(1), 'the end of training'))
class LearnedScalar(nn.Module):
    """A loss argument trained by gradient ascent to be hard for the student, a little more in every epoch.

    ``low + (high - low) * sigmoid(raw)`` with the trained number ``raw``; its gradient is reversed and scaled by a
    strength that rises along a cosine from 0 at ``begin`` to ``strength`` at ``end``.
    Source: https://arxiv.org/abs/2211.16231, code zhengli97/CTKD, the global temperature, ``1 + 20 * sigmoid(raw)``.
    That code starts at ``raw = 1``, a temperature of 15.6, where here ``value`` says where to start; it counts epochs
    from 1, so that its first epoch already trains the temperature a little, where here the first one rests; its
    strength is full after ``decay_loops`` epochs (10 or 5 in its scripts), here at the end of training unless ``end``
    is given.

    Args:
        low: Lower bound.
        high: Upper bound, above ``low``.
        value: First value, between the bounds; their middle if left out.
        strength: Final factor on the reversed gradient, at least 0.
        begin: Epoch or iteration until which it rests.
        end: Epoch or iteration at which the strength is full; None for the end of training.
        by_epoch: Whether these two count epochs; else iterations.

    Raises:
        ValueError: A number is out of its range.
    """

    def __init__(
        self,
        low: float = 1.0,
        high: float = 21.0,
        value: float | None = None,
        strength: float = 1.0,
        begin: int = 0,
        end: int | None = None,
        by_epoch: bool = True,
    ) -> None:
        super().__init__()
        value = (low + high) / 2 if value is None else value
        if not low < value < high:
            raise WrongValueError(f'got low={low}, value={value}, high={high}; expected low < value < high')
        if end is not None and end <= begin:
            raise WrongValueError(f'got begin={begin} and end={end}; expected 0 <= begin < end')
        self.low, self.high = low, high
        self.full_strength = strength
        self.begin, self.end, self.by_epoch = begin, end, by_epoch
        share = (value - low) / (high - low)
        self.raw = nn.Parameter(torch.tensor(math.log(share / (1 - share))))
        self.register_buffer('strength', torch.zeros(()), persistent=False)

    @classmethod
    def from_config(cls, config: Mapping, key: str) -> 'LearnedScalar':
        """Build it from ``dict(type='Learned', ...)``.

        Args:
            config: The config.
            key: The key that holds it, for messages.

        Raises:
            KeyError: An unknown argument.
            ValueError: A number is out of its range.
        """
        arguments = {name: value for name, value in config.items() if name != 'type'}
        keys_of(cls).check(key, arguments)
        try:
            return cls(**arguments)
        except ValueError as error:
            raise WrongValueError(f'{key}: {error}') from None

    def reaches(self) -> tuple[float, ...]:
        """Return the bounds, which the rounded value may reach."""
        return self.low, self.high

    def move(self, progress: Progress) -> None:
        """Set the strength for the progress of the training."""
        now = progress.epoch if self.by_epoch else progress.iter
        end = self.end
        if end is None:
            end = progress.max_iters
            if self.by_epoch:
                end = -(-progress.max_iters // max(progress.iters_per_epoch, 1))
        done = min(max((now - self.begin) / max(end - self.begin, 1), 0.0), 1.0)
        self.strength.fill_(self.full_strength * (1 - math.cos(math.pi * done)) / 2)

    def forward(self) -> Tensor:
        """Return the 0-d value; its gradient reaches the trained number reversed."""
        raw = _ReverseGradient.apply(self.raw, self.strength)
        return self.low + (self.high - self.low) * raw.sigmoid()
