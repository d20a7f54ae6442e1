"""Attention transfer for clips."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import per_frame_at
from mmkd_video.losses.base import DistillLoss, in_float32

__all__ = ['PerFrameATLoss']


@MODELS.register_module()
class PerFrameATLoss(DistillLoss):
    """Attention transfer with one unit map per frame: weights written for images keep their meaning.

    ``mean over N, T and H * W of (u_s - u_t)**2``, u the mean squared activation of a frame over its length. For one
    frame it is :class:`ATLoss`, whose scale falls with the number of frames; here it does not.
    Ours, after attention transfer (https://arxiv.org/abs/1612.03928).
    """

    layouts = ('map',)
    averages_clips = True
    clips_only = True
    same_positions = True

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two clip maps ``(N, C, T, H, W)``."""
        return per_frame_at(student, teacher)
