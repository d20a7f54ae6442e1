"""Recurrent networks over the maps of a backbone, on one level or on several."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import AnyOf, ListOf, OneOf, Whole, checked
from mmkd_video.core.registry import MODELS
from mmkd_video.models.temporal.bins import pool_to
from mmkd_video.models.temporal.conv_stack import CELL, ConvStack
from mmkd_video.models.temporal.temporal_neck import TemporalNeck


@MODELS.register_module()
@checked(
    in_channels=AnyOf(Whole(1), ListOf(Whole(1), least=1)),
    channels=Whole(1),
    cell=CELL,
    layers=Whole(1, 16),
    output=OneOf('all', 'last', 'mean'),
)
class ConvRecurrentNeck(TemporalNeck):
    """ConvLSTM or ConvGRU over the maps of a clip: what moves stays where it is, and what was seen is remembered.

    Of several levels each has its own recurrent layers; their outputs are averaged to the grid of the coarsest one and
    stand side by side. With ``bottom_up`` a level also reads what the finer one below says at the same time.
    Sources: Shi et al., https://arxiv.org/abs/1506.04214 ; Ballas et al., https://arxiv.org/abs/1511.06432 , whose
    GRU-RCN has several levels and whose stacked GRU-RCN joins them. There each level has its own classifier; here one
    classifier reads all.

    Args:
        in_channels: Channels of the map, or of the maps of several levels from fine to coarse.
        channels: Channels C of the state of each layer.
        cell: Config of a layer, ``dict(type='ConvLSTM', ...)`` or ``dict(type='ConvGRU', ...)``, without its channels.
        layers: Recurrent layers of a level.
        bidirectional: Whether clips are read backwards too. The output has twice the channels then, and there is no
            :meth:`step`.
        bottom_up: Whether levels read the finer ones.
        output: ``'last'``: the output that has seen the whole clip, ``'mean'``: the average of all, as maps of one
            time; ``'all'``: those of all times.
        **kwargs: Those of :class:`TemporalNeck`.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        channels: int,
        cell: Mapping,
        layers: int = 1,
        bidirectional: bool = False,
        bottom_up: bool = False,
        output: str = 'last',
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.levels = (in_channels,) if isinstance(in_channels, int) else tuple(in_channels)
        self.bidirectional, self.bottom_up, self.output = bidirectional, bottom_up, output
        width = channels * (2 if bidirectional else 1)
        inputs = [each + (width if bottom_up and place else 0) for place, each in enumerate(self.levels)]
        self.stacks = nn.ModuleList(
            ConvStack('ConvRecurrentNeck.cell', cell, each, channels, layers, bidirectional) for each in inputs
        )

    def over_time(self, levels: list[Tensor]) -> Tensor:
        """Return one map ``(N, C or 2 C for each level, 1 or T, H, W)``.

        Args:
            levels: Maps ``(N, C', T, H, W)`` from fine to coarse.
        """
        found: list[Tensor] = []
        for maps, stack in zip(levels, self.stacks, strict=True):
            found.append(stack(self._with_finer(maps, found)))
        if self.output == 'last':
            found = [stack.last(each) for each, stack in zip(found, self.stacks, strict=True)]
        elif self.output == 'mean':
            found = [each.mean(dim=2, keepdim=True) for each in found]
        return _side_by_side(found)

    def step(
        self, now: Tensor | Sequence[Tensor], state: tuple[Tensor, ...] | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the output of one more frame, ``(N, C for each level, H, W)``, and the state for the next one.

        Args:
            now: Map ``(N, C', H, W)`` of the frame, or the maps of all levels.
            state: Maps that the step before returned; None before the first one.

        Raises:
            ValueError: The neck reads backwards too, or the maps are not those of its levels.
        """
        found: list[Tensor] = []
        after: list[Tensor] = []
        for maps, stack in zip(self.expect_levels(now, 4), self.stacks, strict=True):
            before = None if state is None else state[len(after) : len(after) + stack.states]
            output, states = stack.step(self._with_finer(maps, found), before)
            found.append(output)
            after.extend(states)
        return _side_by_side(found), tuple(after)

    def _with_finer(self, maps: Tensor, found: list[Tensor]) -> Tensor:
        if not self.bottom_up or not found:
            return maps
        return torch.cat([maps, pool_to(found[-1], tuple(maps.shape[-2:]))], dim=1)


def _side_by_side(found: list[Tensor]) -> Tensor:
    grid = tuple(found[-1].shape[-2:])
    return torch.cat([pool_to(each, grid) for each in found], dim=1)
