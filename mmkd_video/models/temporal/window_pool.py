"""Averages and maxima over a few neighbouring times."""

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import OneOf, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.models.temporal.bins import KINDS
from mmkd_video.models.temporal.conv_stack import expect_causal
from mmkd_video.models.temporal.temporal_neck import TemporalNeck


@MODELS.register_module()
@checked(kind=OneOf(*KINDS), window=Whole(2, 1024), stride=Whole(1))
class WindowPool(TemporalNeck):
    """The pool of each time and its neighbours: ``y_n = pool(x_{n-1}, x_n, x_{n+1})`` for a window of 3.

    At both ends the times that there are count alone. With a stride above 1 this is the first stage of the "Slow
    Pooling" of Ng et al., Beyond Short Snippets, https://arxiv.org/abs/1503.08909 .

    Args:
        kind: ``'avg'`` or ``'max'``.
        window: Number of times in a window; odd, unless it is causal.
        stride: Distance of neighbouring windows.
        causal: Whether the window ends with its own time instead of lying around it.
        **kwargs: Those of :class:`TemporalNeck`.

    Raises:
        ValueError: ``window`` is even.
    """

    pruning = 'through'

    def __init__(
        self, kind: str = 'max', window: int = 3, stride: int = 1, causal: bool = False, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        if window % 2 == 0 and not causal:
            raise WrongValueError(
                f'WindowPool.window: got {window}; expected an odd number, as many times before as after; or set '
                'causal=True'
            )
        self.kind, self.window, self.stride, self.causal = kind, window, stride, causal

    def over_time(self, levels: list[Tensor]) -> Tensor:
        """Return ``(N, C, T', H, W)`` with T' = ``ceil(T / stride)``.

        Args:
            levels: One map ``(N, C, T, H, W)``.
        """
        (maps,) = levels
        before = self.window - 1 if self.causal else self.window // 2
        after = self.window - 1 - before
        first, last = maps[:, :, :1], maps[:, :, -1:]  # repeated, they change no maximum
        padded = torch.cat([first] * before + [maps] + [last] * after, dim=2)
        kernel, stride = (self.window, 1, 1), (self.stride, 1, 1)
        if self.kind == 'max':
            return nn.functional.max_pool3d(padded, kernel, stride)
        there = torch.ones_like(padded[:1, :1, :, :1, :1])
        there[:, :, :before] = 0
        there[:, :, before + maps.shape[2] :] = 0
        total = nn.functional.avg_pool3d(padded * there, kernel, stride)
        return total / nn.functional.avg_pool3d(there, kernel, stride)

    def step(self, now: Tensor, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the pool of a frame and those before it, ``(N, C, H, W)``, and the state for the next one.

        Args:
            now: ``(N, C, H, W)``.
            state: Result of the step before: the last frames ``(N, C, window - 1, H, W)`` and whether they were
                there, ``(N, window - 1)``; None before the first one.

        Raises:
            ValueError: The window reaches beyond its own time, or leaves times out.
        """
        expect_causal(self, not self.causal or self.stride > 1, 'causal=True and stride=1')
        (now,) = self.expect_levels(now, 4)
        if state is None:
            past = now.new_zeros(*now.shape[:2], self.window - 1, *now.shape[2:])
            state = past, now.new_zeros(len(now), self.window - 1)
        frames = torch.cat([state[0], now[:, :, None]], dim=2)
        there = torch.cat([state[1], torch.ones_like(state[1][:, :1])], dim=1)
        mask = there[:, None, :, None, None]
        if self.kind == 'max':
            pooled = torch.where(mask > 0, frames, now[:, :, None]).amax(dim=2)
        else:
            pooled = (frames * mask).sum(dim=2) / mask.sum(dim=2)
        return pooled, (frames[:, :, 1:], there[:, 1:])
