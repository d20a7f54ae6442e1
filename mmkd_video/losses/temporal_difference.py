"""Motion distillation by differences of frames."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import temporal_difference
from mmkd_video.losses.base import DistillLoss, in_float32

__all__ = ['TemporalDifferenceLoss']


@MODELS.register_module()
class TemporalDifferenceLoss(DistillLoss):
    """The student's feature changes from frame to frame as the teacher's does; what stays still does not count.

    ``mean ((s[t+1] - s[t]) - (t[t+1] - t[t]))**2``. Zero for one frame. Ours, after the temporal differences of TDN
    (https://arxiv.org/abs/2012.10071), which are an input there.
    """

    layouts = ('tokens', 'map')
    averages_clips = True
    clips_only = True
    same_channels = True
    same_positions = True

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of tokens ``(N, T, C)``, one per frame, or clip maps ``(N, C, T, H, W)``."""
        return temporal_difference(student, teacher)
