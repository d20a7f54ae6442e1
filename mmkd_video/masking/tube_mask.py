"""The same places at all times."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmkd_video.core.checked import Number, checked
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.masking.token_mask import TokenMask, draw_rows


@TASK_UTILS.register_module()
@checked(ratio=Number(0))
class TubeMask(TokenMask):
    """The same places at all times, so that what is hidden cannot be seen a moment later: VideoMAE.

    Source: https://arxiv.org/abs/2203.12602 .

    Args:
        ratio: Share of the places that are left out, from 0 to below 1.
    """

    def __init__(self, ratio: float = 0.8) -> None:
        super().__init__(ratio)

    def draw(self, clips: int, grid: Sequence[int], weights: Tensor | None) -> Tensor:
        """See :meth:`TokenMask.draw`."""
        times, places = grid[0], grid[1] * grid[2]
        chosen = draw_rows(torch.ones(clips, places), self.kept_of(places))
        return (torch.arange(times)[:, None] * places + chosen[:, None]).flatten(1)
