"""The base of all masks, which say what tokens a student sees."""

import abc
import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mmkd_video.core.checked import Number, checked, did_you_mean, keys_of
from mmkd_video.core.mistakes import WrongKeyError
from mmkd_video.core.registry import TASK_UTILS

SLACK = 1e-6  # so that 0.8 of 10 tokens are 8, whatever floats say


@checked(ratio=Number(0))
class TokenMask(abc.ABC):
    """A choice of the tokens that a student sees in a training step.

    A subclass is registered in ``TASK_UTILS`` and named in a config as ``masking=dict(type='<name>', ...)`` of a
    distiller. It draws from torch's global generator of the CPU, which ``ReproducibleHook`` seeds for each batch by
    (seed, rank, iteration).

    Args:
        ratio: Share of the tokens that are left out, from 0 to below 1; 0 shows all.

    Raises:
        ValueError: ``ratio`` is out of range.
    """

    teacher: str | None = None
    """Name of the teacher that :attr:`at` is read of; None for the only one."""

    at: str | None = None
    """Place of a teacher whose map says which tokens matter; None for a mask that asks nobody."""

    def __init__(self, ratio: float = 0.8) -> None:
        Number(0, 1 - SLACK).check(f'{type(self).__name__}.ratio', ratio)
        self.ratio = float(ratio)

    @abc.abstractmethod
    def draw(self, clips: int, grid: Sequence[int], weights: Tensor | None) -> Tensor:
        """Draw the tokens that are seen, as many of each clip.

        Args:
            clips: Number N of clips.
            grid: Time, height and width of the grid of all tokens.
            weights: ``(N, T * H * W)`` float32: how much each token matters by the teacher's map, not below zero; None
                where :attr:`at` is.

        Returns:
            ``(N, K)`` int64: places counted in reading order, each once, in any order.
        """

    def kept_of(self, total: int) -> int:
        """Return how many of so many tokens are seen, at least 1: those that ``ratio`` of them, rounded down, leave.

        Args:
            total: Number of tokens.
        """
        return max(1, total - math.floor(total * self.ratio + SLACK))


def draw_rows(weights: Tensor, count: int) -> Tensor:
    """Draw places without replacement, each with a probability in proportion to its weight among those left.

    As ``torch.multinomial`` does, by the largest of ``log(weight)`` plus Gumbel noise; places of weight 0 come last.

    Args:
        weights: ``(N, L)`` float32, not below zero.
        count: Number of places of each row.

    Returns:
        ``(N, count)`` int64.
    """
    noise = -torch.empty(weights.shape).exponential_().log().to(weights.device)  # the same on every device
    return (weights.clamp(min=torch.finfo(weights.dtype).tiny).log() + noise).topk(count, dim=1).indices


def build_mask(config: Mapping) -> TokenMask:
    """Build a mask.

    Args:
        config: ``dict(type='TubeMask', ratio=0.8, ...)``; it is not changed.

    Raises:
        KeyError: No such mask, or an unknown argument; the message names those that are valid.
        ValueError: An argument is out of range.
    """
    arguments = dict(config)
    kind = arguments.pop('type')
    found = TASK_UTILS.get(kind) if isinstance(kind, str) else kind
    if not (isinstance(found, type) and issubclass(found, TokenMask)):
        known = sorted(name for name, each in TASK_UTILS.module_dict.items() if _is_mask(each))
        hint = did_you_mean(str(kind), known)
        raise WrongKeyError(
            f'masking.type: got {kind!r}; expected one of {", ".join(map(repr, known))}{f"; {hint}" if hint else ""}'
        )
    keys_of(found).check('masking', arguments)
    return found(**arguments)


def _is_mask(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, TokenMask)
