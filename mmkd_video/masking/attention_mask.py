"""Tokens that the teacher looks at."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmkd_video.core.checked import Number, Optional, Text, checked
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.masking.token_mask import TokenMask, draw_rows


@TASK_UTILS.register_module()
@checked(
    ratio=Number(0),
    at=Text("the name of a tap that gives a map, such as 'attention_map'"),
    teacher=Optional(Text('the name of a teacher'), 'the only one'),
)
class AttentionMask(TokenMask):
    """Tokens drawn in proportion to the teacher's attention, without replacement: UMT, InternVideo2.

    The map is brought to the student's grid first. ``attention_map`` of models of transformers is the attention of the
    class token, or the mean over all tokens; of a map of several channels, such as a convolution's after its ReLU, the
    mean over channels counts, and what is below zero counts as zero.
    Source: https://arxiv.org/abs/2303.16058 , code OpenGVLab/unmasked_teacher
    ``single_modality/engines/engine_for_pretraining_umt.py``, which draws in each frame.

    Args:
        ratio: Share of the tokens that are left out, from 0 to below 1.
        at: Place of the teacher that gives the map ``(N, C, T, H, W)``.
        teacher: The teacher's name; None for the only one.
        per_frame: Whether as many tokens are drawn of each time step; else of the whole clip.
    """

    def __init__(
        self, ratio: float = 0.8, at: str = 'attention_map', teacher: str | None = None, per_frame: bool = True
    ) -> None:
        super().__init__(ratio)
        self.at, self.teacher, self.per_frame = at, teacher, per_frame

    def draw(self, clips: int, grid: Sequence[int], weights: Tensor | None) -> Tensor:
        """See :meth:`TokenMask.draw`."""
        if not self.per_frame:
            return draw_rows(weights, self.kept_of(weights.shape[1]))
        times, places = grid[0], grid[1] * grid[2]
        chosen = draw_rows(weights.reshape(-1, places), self.kept_of(places)).reshape(clips, times, -1)
        return (torch.arange(times, device=chosen.device)[:, None] * places + chosen).flatten(1)
