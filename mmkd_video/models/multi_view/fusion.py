"""The neck that makes one map of the maps of all views."""

from collections.abc import Mapping, Sequence

import torch
from mmengine.model import BaseModule, ModuleDict
from torch import Tensor, nn

from mmkd_video.core.checked import ListOf, Number, Settings, Whole, checked
from mmkd_video.core.registry import MODELS
from mmkd_video.models.multi_view.pyramid import ViewPyramid
from mmkd_video.models.multi_view.transformer import ViewTransformer
from mmkd_video.models.temporal.conv_gru import ConvGRU
from mmkd_video.recognizers.view_names import resolve_shared


@MODELS.register_module()
@checked(
    views=Settings('a dict of the channels of the maps by view, such as dict(rgb=(64, 128), flow=(64, 128))'),
    channels=Whole(1),
    grid=ListOf(Whole(1), length=3, example='(times, rows, columns)'),
    layers=Whole(1),
    heads=Whole(1),
    dropout=Number(0, 1, below=True),
)
class ViewFusion(BaseModule):
    """Fuse views: a feature pyramid for each, a Transformer over all of their tokens, a recurrent network over time.

    Every level of a view's pyramid is averaged to the same grid of times, rows and columns; each place of the grid is a
    token, with a learned code for its view, its level and its place. The Transformer lets tokens of all views look at
    each other. What the views say of a place is averaged, and a ConvGRU, beside a shortcut, reads the places in their
    order of time. Missing views have no tokens: the answer is what it would be without them.

    Args:
        views: Channels of the maps of each view by its name, from fine to coarse, or the name of the view whose pyramid
            it shares.
        channels: Channels C of tokens and of the result.
        grid: Times, rows and columns of the result.
        layers: Blocks of the Transformer.
        heads: Heads of its attention; they divide ``channels``.
        dropout: Dropout of the Transformer in training.

    Raises:
        ValueError: There is no view, or one shares a pyramid that does not exist.
    """

    def __init__(
        self,
        views: Mapping,
        channels: int,
        grid: Sequence[int] = (4, 2, 2),
        layers: int = 1,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.owners = resolve_shared('ViewFusion.views', views)
        for name, each in views.items():
            if self.owners[name] == name:
                ListOf(Whole(1), least=1).check(f'ViewFusion.views.{name}', each)
        own = [name for name, owner in self.owners.items() if name == owner]
        self.pyramids = ModuleDict({name: ViewPyramid(list(views[name]), channels) for name in own})
        self.grid = tuple(grid)
        levels = max(len(pyramid.laterals) for pyramid in self.pyramids.values())
        self.view_code = nn.Parameter(torch.empty(len(views), channels))
        self.level_code = nn.Parameter(torch.empty(levels, channels))
        self.place_code = nn.Parameter(torch.empty(grid[0] * grid[1] * grid[2], channels))
        for code in (self.view_code, self.level_code, self.place_code):
            nn.init.trunc_normal_(code, std=0.02)
        self.transformer = ViewTransformer(channels, layers, heads, dropout)
        self.recurrent = ConvGRU(channels)

    def forward(
        self, maps: Mapping[str, Sequence[Tensor]], present: Tensor, data_samples: list | None = None
    ) -> tuple[Tensor, dict]:
        """Return one map ``(N, C, *grid)``, and no losses.

        Args:
            maps: Maps ``(N, C', T, H, W)`` by view, from fine to coarse; views that no clip has may be left out.
            present: ``(N, V)``, true where a view is there, in the order of the names of all views.
            data_samples: The samples, which are not used.
        """
        tokens, seen = [], []
        for place, name in enumerate(self.owners):
            for level, each in enumerate(self._levels(name, maps)):
                pooled = nn.functional.adaptive_avg_pool3d(each, self.grid).flatten(2).transpose(1, 2)
                tokens.append(pooled + self.view_code[place] + self.level_code[level] + self.place_code)
                seen.append(present[:, place])
        stacked, mask = torch.stack(tokens, dim=1), torch.stack(seen, dim=1)  # (N, S, L, C) and (N, S)
        count, places = stacked.shape[1:3]
        fused = self.transformer(stacked.flatten(1, 2), mask.repeat_interleave(places, dim=1))
        share = mask.to(fused.dtype) / mask.sum(dim=1, keepdim=True)
        mean = (fused.unflatten(1, (count, places)) * share[:, :, None, None]).sum(dim=1)
        mean = mean.transpose(1, 2).unflatten(2, self.grid) + 0 * self._rested(maps)
        return mean + self.recurrent(mean), {}

    def _levels(self, name: str, maps: Mapping[str, Sequence[Tensor]]) -> list[Tensor]:
        return self.pyramids[self.owners[name]](maps[name]) if name in maps else []

    def _rested(self, maps: Mapping[str, Sequence[Tensor]]) -> Tensor | int:
        """Return the sum of the parameters that take no part: times zero, each has a gradient, as DDP expects."""
        busy = {self.owners[name] for name in maps}
        idle = [each for owner, pyramid in self.pyramids.items() if owner not in busy for each in pyramid.parameters()]
        return sum(each.sum() for each in idle)
