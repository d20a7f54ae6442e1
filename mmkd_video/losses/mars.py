"""Motion-augmented RGB stream."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import mean_square
from mmkd_video.losses.base import DistillLoss, in_float32

__all__ = ['MARSLoss']


@MODELS.register_module()
class MARSLoss(DistillLoss):
    """MARS: the pooled feature before the classifier imitates that of a teacher which sees optical flow.

    ``mean (s - t)**2`` over two vectors; read ``pooled`` on both sides. A student without flow learns to see motion.
    Source: Crasto et al., CVPR 2019, code craston/MARS.
    """

    layouts = ('vector',)
    averages_clips = True
    same_channels = True
    same_positions = True

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two vectors ``(N, C)``."""
        return mean_square(student, teacher)
