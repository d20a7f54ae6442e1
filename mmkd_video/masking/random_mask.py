"""Tokens anywhere."""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from mmkd_video.core.checked import Number, checked
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.masking.token_mask import TokenMask, draw_rows


@TASK_UTILS.register_module()
@checked(ratio=Number(0))
class RandomMask(TokenMask):
    """Tokens anywhere in time and space, each as likely as the others.

    Source: https://arxiv.org/abs/2205.09113 .

    Args:
        ratio: Share of the tokens that are left out, from 0 to below 1.
    """

    def __init__(self, ratio: float = 0.8) -> None:
        super().__init__(ratio)

    def draw(self, clips: int, grid: Sequence[int], weights: Tensor | None) -> Tensor:
        """See :meth:`TokenMask.draw`."""
        total = prod(grid)
        return draw_rows(torch.ones(clips, total), self.kept_of(total))
