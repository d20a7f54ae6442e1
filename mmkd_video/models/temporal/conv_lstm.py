"""A long short-term memory over the maps of a clip."""

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import Optional, Whole, checked
from mmkd_video.core.registry import MODELS
from mmkd_video.models.temporal.conv_cell import ConvCell


@MODELS.register_module()
@checked(channels=Whole(1), kernel_size=Whole(1), in_channels=Optional(Whole(1), 'as many as the state has'))
class ConvLSTM(ConvCell):
    """A long short-term memory whose state and cell are maps: it reads a clip from its first time to its last.

    ``i, f, g, o = W * [x, h]``, ``c' = sigmoid(f) c + sigmoid(i) tanh(g)``, ``h' = sigmoid(o) tanh(c')``, all
    convolutions in space. With peepholes ``p_i c`` and ``p_f c`` are added to i and f, ``p_o c'`` to o.
    Source: Shi et al., Convolutional LSTM Network, https://arxiv.org/abs/1506.04214 . Two differences: a peephole has
    one number for each channel instead of one for each place, so that maps may have any size; and the bias of the
    forget gate begins at 1, so that gradients reach the first frames at once (Jozefowicz et al., ICML 2015).

    Args:
        channels: Channels C of state and cell.
        kernel_size: Height and width of its convolutions, odd.
        in_channels: Channels of its input; those of the state by default.
        peephole: Whether the gates see the cell.

    Raises:
        ValueError: ``kernel_size`` is even.
    """

    states = 2

    def __init__(
        self, channels: int, kernel_size: int = 3, in_channels: int | None = None, peephole: bool = False
    ) -> None:
        super().__init__(channels, kernel_size, in_channels)
        self.gates = self._conv(self.in_channels + channels, 4 * channels)
        with torch.no_grad():
            self.gates.bias[channels : 2 * channels] = 1.0
        self.peepholes = nn.Parameter(torch.zeros(3, channels, 1, 1)) if peephole else None

    def step(self, now: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """See :meth:`ConvCell.step`; the state is output and cell."""
        hidden, cell = state
        enter, forget, new, leave = self.gates(torch.cat([now, hidden], dim=1)).chunk(4, dim=1)
        if self.peepholes is not None:
            enter, forget = enter + self.peepholes[0] * cell, forget + self.peepholes[1] * cell
        cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
        if self.peepholes is not None:
            leave = leave + self.peepholes[2] * cell
        return leave.sigmoid() * cell.tanh(), cell
