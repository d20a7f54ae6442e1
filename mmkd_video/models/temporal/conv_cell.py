"""What recurrent networks over maps have in common."""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError


class ConvCell(BaseModule):
    """A recurrent network whose state is maps: it reads a clip from its first time to its last.

    A subclass says in :attr:`states` how many maps its state has, and computes one time in :meth:`step`.

    Args:
        channels: Channels C of the state.
        kernel_size: Height and width of its convolutions, odd.
        in_channels: Channels of its input; those of the state by default.

    Raises:
        ValueError: ``kernel_size`` is even.
    """

    states = 1

    def __init__(self, channels: int, kernel_size: int = 3, in_channels: int | None = None) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise WrongValueError(
                f'{type(self).__name__}.kernel_size: got {kernel_size}; expected an odd number, so that maps keep '
                'their size'
            )
        self.channels, self.kernel_size = channels, kernel_size
        self.in_channels = channels if in_channels is None else in_channels

    def _conv(self, in_channels: int, out_channels: int, bias: bool = True) -> nn.Conv2d:
        return nn.Conv2d(in_channels, out_channels, self.kernel_size, padding=self.kernel_size // 2, bias=bias)

    def initial_state(self, now: Tensor) -> tuple[Tensor, ...]:
        """Return the state before the first time: zeros ``(N, C, H, W)``.

        Args:
            now: ``(N, C', H, W)``, the map of one time.
        """
        zeros = now.new_zeros(now.shape[0], self.channels, *now.shape[2:])
        return (zeros,) * self.states

    def step(self, now: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the state after one more time; its first map ``(N, C, H, W)`` is the output.

        Args:
            now: ``(N, C', H, W)``, the map of this time.
            state: Maps ``(N, C, H, W)`` of the time before.
        """
        raise NotImplementedError

    def forward(self, maps: Tensor) -> Tensor:
        """Return the output after each time, ``(N, C, T, H, W)``.

        Args:
            maps: ``(N, C', T, H, W)``.
        """
        state, outputs = self.initial_state(maps[:, :, 0]), []
        for now in maps.unbind(2):
            state = self.step(now, state)
            outputs.append(state[0])
        return torch.stack(outputs, dim=2)
