"""A pyramid of pools over space and time."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmkd_video.core.checked import ListOf, OneOf, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.models.temporal.bins import KINDS, pool_to
from mmkd_video.models.temporal.temporal_neck import TemporalNeck


@MODELS.register_module()
@checked(grids=ListOf(ListOf(Whole(1), length=3), least=1), kind=OneOf(*KINDS))
class SpaceTimePyramidPool(TemporalNeck):
    """Pools over grids of several sizes, side by side in one vector: what, roughly where, and roughly when.

    A clip of any size gives a vector of one length: the channels times the number of all bins.
    Source: He et al., Spatial Pyramid Pooling, https://arxiv.org/abs/1406.4729 , with time as a third axis; pyramids of
    time alone are those of Wang et al., Temporal Pyramid Pooling, https://arxiv.org/abs/1503.01224 .

    Args:
        grids: Bins of each grid in time, height and width.
        kind: ``'avg'`` or ``'max'``.
        **kwargs: Those of :class:`TemporalNeck`.
    """

    def __init__(
        self, grids: Sequence[Sequence[int]] = ((1, 1, 1), (2, 1, 1), (4, 1, 1)), kind: str = 'max', **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.grids, self.kind = tuple(tuple(each) for each in grids), kind

    @property
    def bins(self) -> int:
        """Number of bins of all grids: the factor on the channels."""
        return sum(time * height * width for time, height, width in self.grids)

    def over_time(self, levels: list[Tensor]) -> Tensor:
        """Return ``(N, C * bins, 1, 1, 1)``: grid after grid, the channels of a grid's bins in a row.

        Args:
            levels: One map ``(N, C, T, H, W)``.

        Raises:
            ValueError: A grid is finer than the map.
        """
        (maps,) = levels
        for grid in self.grids:
            if any(bins > size for bins, size in zip(grid, maps.shape[2:], strict=True)):
                raise WrongValueError(
                    f'SpaceTimePyramidPool.grids: got {grid}; expected at most the map of (T, H, W) = '
                    f'{tuple(maps.shape[2:])}; take a coarser grid'
                )
        pooled = [pool_to(maps, grid, self.kind).flatten(1) for grid in self.grids]
        return torch.cat(pooled, dim=1)[..., None, None, None]
