"""Direct imitation of a feature."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import mean_square
from mmkd_video.losses.base import DistillLoss, in_float32

__all__ = ['FitNetLoss']


@MODELS.register_module()
class FitNetLoss(DistillLoss):
    """FitNets: the student's feature is the teacher's.

    ``mean (s - t)**2`` over all elements of two features of one shape; on ``logits`` it is the plain regression of
    logits.
    Source: https://arxiv.org/abs/1412.6550, code HobbitLong/RepDistiller ``distiller_zoo/FitNet.py``.
    """

    layouts = ('logits', 'vector', 'tokens', 'map')
    averages_clips = True
    same_channels = True
    same_positions = True
    same_classes = True

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of ``(N, K)``, ``(N, C)``, ``(N, L, C)``, ``(N, C, H, W)`` or ``(N, C, T, H, W)``."""
        return mean_square(student, teacher)
