"""A gated recurrent unit over the maps of a clip."""

import torch
from torch import Tensor

from mmkd_video.core.checked import Optional, Whole, checked
from mmkd_video.core.registry import MODELS
from mmkd_video.models.temporal.conv_cell import ConvCell


@MODELS.register_module()
@checked(channels=Whole(1), kernel_size=Whole(1), in_channels=Optional(Whole(1), 'as many as the state has'))
class ConvGRU(ConvCell):
    """A gated recurrent unit whose state is a map: it reads a clip from its first time to its last.

    ``z, r = sigmoid(W * [x, h])``, ``c = tanh(V * [x, r h])``, ``h' = (1 - z) h + z c``, all convolutions in space.
    Source: Ballas et al., https://arxiv.org/abs/1511.06432 .

    Args:
        channels: Channels C of the state.
        kernel_size: Height and width of its convolutions, odd.
        in_channels: Channels of its input; those of the state by default.
        reset_after: Whether the reset gate stands behind the convolution of the state, as in ``torch.nn.GRU``:
            ``c = tanh(V * x + r (U * h))``. The paper's stands before it.

    Raises:
        ValueError: ``kernel_size`` is even.
    """

    def __init__(
        self, channels: int, kernel_size: int = 3, in_channels: int | None = None, reset_after: bool = False
    ) -> None:
        super().__init__(channels, kernel_size, in_channels)
        both = self.in_channels + channels
        self.gates = self._conv(both, 2 * channels)
        self.candidate = self._conv(self.in_channels if reset_after else both, channels)
        self.recurrent = self._conv(channels, channels) if reset_after else None

    def step(self, now: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """See :meth:`ConvCell.step`; the state is one map."""
        (hidden,) = state
        update, reset = self.gates(torch.cat([now, hidden], dim=1)).sigmoid().chunk(2, dim=1)
        if self.recurrent is None:
            candidate = self.candidate(torch.cat([now, reset * hidden], dim=1)).tanh()
        else:
            candidate = (self.candidate(now) + reset * self.recurrent(hidden)).tanh()
        return ((1 - update) * hidden + update * candidate,)
