"""Attention in space and in time."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import space_time_at
from mmkd_video.losses.base import DistillLoss, at_least, in_float32

__all__ = ['SpaceTimeATLoss']


@MODELS.register_module()
class SpaceTimeATLoss(DistillLoss):
    """Attention transfer split into where and when a clip is active; channels may differ.

    ``where * |u_s - u_t|**2`` over the places (energy averaged over time) plus ``when * |v_s - v_t|**2`` over the
    frames (energy averaged over space), u and v of length 1; sums, so the scale depends on neither T nor H nor W. Ours,
    after attention transfer (https://arxiv.org/abs/1612.03928).

    Args:
        where: Weight of the places, at least 0.
        when: Weight of the frames, at least 0.

    Raises:
        ValueError: A weight is negative.
    """

    layouts = ('map',)
    averages_clips = True
    clips_only = True
    same_positions = True

    def __init__(self, where: float = 1.0, when: float = 1.0) -> None:
        super().__init__()
        self.where = at_least('where', where, 0)
        self.when = at_least('when', when, 0)

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two clip maps ``(N, C, T, H, W)``."""
        return space_time_at(student, teacher, self.where, self.when)
