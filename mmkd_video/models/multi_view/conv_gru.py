"""A recurrent network over the maps of a clip."""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmkd_video.core.checked import Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS


@MODELS.register_module()
@checked(channels=Whole(1), kernel_size=Whole(1))
class ConvGRU(BaseModule):
    """A gated recurrent unit whose state is a map: it reads a clip from its first time to its last.

    ``z, r = sigmoid(W * [x, h])``, ``c = tanh(V * [x, r h])``, ``h' = (1 - z) h + z c``, all convolutions in space.
    Source: Ballas et al., https://arxiv.org/abs/1511.06432 .

    Args:
        channels: Channels C of input and state.
        kernel_size: Height and width of its convolutions, odd.

    Raises:
        ValueError: ``kernel_size`` is even.
    """

    def __init__(self, channels: int, kernel_size: int = 3) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise WrongValueError(
                f'ConvGRU.kernel_size: got {kernel_size}; expected an odd number, so that maps keep their size'
            )
        self.gates = nn.Conv2d(2 * channels, 2 * channels, kernel_size, padding=kernel_size // 2)
        self.candidate = nn.Conv2d(2 * channels, channels, kernel_size, padding=kernel_size // 2)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the state after each time, ``(N, C, T, H, W)``.

        Args:
            maps: ``(N, C, T, H, W)``.
        """
        state = torch.zeros_like(maps[:, :, 0])
        states = []
        for now in maps.unbind(2):
            update, reset = self.gates(torch.cat([now, state], dim=1)).sigmoid().chunk(2, dim=1)
            candidate = self.candidate(torch.cat([now, reset * state], dim=1)).tanh()
            state = (1 - update) * state + update * candidate
            states.append(state)
        return torch.stack(states, dim=2)
