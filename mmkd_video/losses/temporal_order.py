"""Order of the frames of a clip."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import temporal_order
from mmkd_video.losses.base import DistillLoss, in_float32

__all__ = ['TemporalOrderLoss']


@MODELS.register_module()
class TemporalOrderLoss(DistillLoss):
    """From any frame to any later one, the student's feature moves in the teacher's direction.

    ``mean over pairs of frames t < u of 1 - cos(s_u - s_t, t_u - t_t)`` of frames averaged over space: the length of a
    move is free. The reversed clip of a feature that moves on a straight line is maximally wrong, at 2; of one that
    moves to and fro, some moves are the same backwards. Zero for one frame. Ours.
    """

    layouts = ('tokens', 'map')
    averages_clips = True
    clips_only = True
    same_channels = True
    same_positions = True

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of tokens ``(N, T, C)``, one per frame, or clip maps ``(N, C, T, H, W)``."""
        return temporal_order(student, teacher)
