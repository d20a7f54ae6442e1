"""Averages and maxima over a whole clip."""

import torch
from torch import Tensor

from mmkd_video.core.checked import OneOf, checked
from mmkd_video.core.registry import MODELS
from mmkd_video.models.temporal.bins import KINDS, reduce_over
from mmkd_video.models.temporal.temporal_neck import TemporalNeck

OVER = {'time': (2,), 'space_time': (2, 3, 4)}


@MODELS.register_module()
@checked(kind=OneOf(*KINDS), over=OneOf(*OVER))
class TemporalPool(TemporalNeck):
    """The average or the maximum of a map over all times of a clip, or over space too.

    The maximum over time is the "Conv Pooling" of Ng et al., Beyond Short Snippets, https://arxiv.org/abs/1503.08909 ,
    the best of those compared there; the average is the consensus of TSN, https://arxiv.org/abs/1608.00859 .

    Args:
        kind: ``'avg'`` or ``'max'``.
        over: ``'time'``: places stay; ``'space_time'``: one vector is left.
        **kwargs: Those of :class:`TemporalNeck`.
    """

    pruning = 'through'

    def __init__(self, kind: str = 'max', over: str = 'time', **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.kind, self.over = kind, over

    def over_time(self, levels: list[Tensor]) -> Tensor:
        """Return one map ``(N, C, 1, H, W)``, or ``(N, C, 1, 1, 1)``.

        Args:
            levels: One map ``(N, C, T, H, W)``.
        """
        return reduce_over(levels[0], OVER[self.over], self.kind)

    def step(self, now: Tensor, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the pool of all frames so far, ``(N, C, H, W)`` or ``(N, C, 1, 1)``, and the state for the next one.

        Args:
            now: ``(N, C, H, W)``.
            state: Result of the step before; None before the first one.
        """
        (now,) = self.expect_levels(now, 4)
        if self.over == 'space_time':
            now = reduce_over(now, (2, 3), self.kind)
        if self.kind == 'max':
            pooled = now if state is None else torch.maximum(now, state[0])
            return pooled, (pooled,)
        total, count = (now, now.new_ones(len(now), 1)) if state is None else (state[0] + now, state[1] + 1)
        return total / count[..., None, None], (total, count)
