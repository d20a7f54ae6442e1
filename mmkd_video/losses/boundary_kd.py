"""Distillation of the boundaries between classes."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import boundary_kd
from mmkd_video.losses.base import DistillLoss, in_float32

__all__ = ['BoundaryKDLoss']


@MODELS.register_module()
class BoundaryKDLoss(DistillLoss):
    """The student's classes change between two frames where the teacher's do, whichever classes these are.

    ``mean_t KL([c_t, 1 - c_t] || [c_s, 1 - c_s])`` with ``c = 1 - sum_k p_k[t] p_k[t + 1]``, the probability that two
    neighbouring frames are of different classes; class maps are averaged over places first. Zero for one frame. Ours,
    beside a term on the class scores of frames: few frames lie at a boundary, and a boundary too many is what segments
    are judged by (MS-TCN, https://arxiv.org/abs/1903.01945; boundaries as a target of their own:
    https://arxiv.org/abs/2007.06866).
    """

    layouts = ('tokens', 'map')
    averages_clips = True
    clips_only = True
    same_positions = True
    same_classes = True

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of class scores of frames: tokens ``(N, T, K)``, or class maps ``(N, K, T, H, W)``."""
        if student.ndim == 5:
            student, teacher = (side.mean(dim=(3, 4)).transpose(1, 2) for side in (student, teacher))
        return boundary_kd(student, teacher)
