"""Recurrent layers over maps, one above the other, in one direction or in both."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import Settings
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.models.temporal.conv_cell import ConvCell

CELL = Settings(
    "the settings of a recurrent cell, such as dict(type='ConvLSTM', peephole=True) or dict(type='ConvGRU')",
    needs=('type',),
)
FILLED_IN = ('channels', 'in_channels')


class ConvStack(nn.Module):
    """Layers of ``ConvLSTM`` or ``ConvGRU``, as ``torch.nn.LSTM`` stacks its own.

    Args:
        where: Name of the setting that holds the cell, for messages.
        cell: Config of one layer, without its channels.
        in_channels: Channels of the input.
        channels: Channels C of the state of each layer.
        layers: Number of layers.
        bidirectional: Whether each layer reads the clip backwards too; the outputs of both stand side by side.

    Raises:
        ValueError: ``cell`` is no cell, or names its channels.
    """

    pruning = 'whole'

    def __init__(
        self, where: str, cell: Mapping, in_channels: int, channels: int, layers: int = 1, bidirectional: bool = False
    ) -> None:
        super().__init__()
        self.out_channels = channels * (2 if bidirectional else 1)
        inputs = [in_channels] + [self.out_channels] * (layers - 1)
        self.forwards = nn.ModuleList(_build(where, cell, each, channels) for each in inputs)
        self.backwards = nn.ModuleList(_build(where, cell, each, channels) for each in inputs if bidirectional)

    @property
    def states(self) -> int:
        """Number of maps in the state of all layers."""
        return sum(layer.states for layer in self.forwards)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the output of the last layer after each time, ``(N, C or 2 C, T, H, W)``.

        Args:
            maps: ``(N, C', T, H, W)``.
        """
        for place, layer in enumerate(self.forwards):
            found = layer(maps)
            if self.backwards:
                found = torch.cat([found, self.backwards[place](maps.flip(2)).flip(2)], dim=1)
            maps = found
        return maps

    def last(self, maps: Tensor) -> Tensor:
        """Return the one of all outputs that has seen the whole clip, ``(N, C or 2 C, 1, H, W)``.

        Args:
            maps: Result of :meth:`forward`, ``(N, C or 2 C, T, H, W)``.
        """
        if not self.backwards:
            return maps[:, :, -1:]
        ahead, back = maps.chunk(2, dim=1)
        return torch.cat([ahead[:, :, -1:], back[:, :, :1]], dim=1)

    def step(self, now: Tensor, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the output of one more time, ``(N, C, H, W)``, and the state for the next one.

        Args:
            now: ``(N, C', H, W)``.
            state: Maps ``(N, C, H, W)`` that the step before returned; None before the first one.

        Raises:
            ValueError: The layers read backwards too.
        """
        expect_causal(self, bool(self.backwards), 'bidirectional=False')
        after: list[Tensor] = []
        for layer in self.forwards:
            before = layer.initial_state(now) if state is None else state[len(after) : len(after) + layer.states]
            found = layer.step(now, before)
            now = found[0]
            after.extend(found)
        return now, tuple(after)


def expect_causal(module: nn.Module, looks_ahead: bool, remedy: str) -> None:
    """Check that a module needs no later frames.

    Args:
        module: The module.
        looks_ahead: Whether it needs them.
        remedy: The setting that makes it causal.

    Raises:
        ValueError: It does.
    """
    if looks_ahead:
        raise WrongValueError(
            f'{type(module).__name__}.step: got a module that reads later frames; expected a causal one; build it with '
            f'{remedy}'
        )


def _build(where: str, cell: Mapping, in_channels: int, channels: int) -> ConvCell:
    CELL.check(where, cell)
    found = MODELS.get(cell['type']) if isinstance(cell['type'], str) else cell['type']
    if not isinstance(found, type) or not issubclass(found, ConvCell):
        raise WrongValueError(
            f"{where}.type: got {cell['type']!r}; expected 'ConvLSTM', 'ConvGRU' or a subclass of ConvCell of your own"
        )
    given = [key for key in FILLED_IN if key in cell]
    if given:
        raise WrongValueError(
            f'{where}.{given[0]}: got {cell[given[0]]!r}; expected nothing, as it follows from the channels beside; '
            'take it out'
        )
    return MODELS.build(dict(cell, channels=channels, in_channels=in_channels))
