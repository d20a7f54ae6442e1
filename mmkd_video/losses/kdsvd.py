"""Distillation of singular vectors."""

from collections.abc import Sequence

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import kdsvd
from mmkd_video.losses.base import DistillLoss, in_float32, whole

__all__ = ['KDSVDLoss']


@MODELS.register_module()
class KDSVDLoss(DistillLoss):
    """KD-SVD: the leading channel directions of consecutive layers relate as in the teacher.

    The sum over consecutive layers of ``sum (rbf_s - rbf_t)**2 / N`` with ``rbf = exp(-(v_i - v_j)**2 / 8)`` between
    the components of right singular vectors. A clip map's positions are its ``T * H * W`` places, which may differ.
    Source: Lee et al., ECCV 2018, code HobbitLong/RepDistiller ``distiller_zoo/KDSVD.py``. There the value depends on
    the arbitrary sign of the teacher's vectors; here their largest component is positive. Directions whose singular
    values are numerically equal get no gradient instead of NaN.

    Args:
        k: Number of singular vectors, at least 1.

    Raises:
        ValueError: ``k`` is below 1.
    """

    layouts = ('tokens', 'map')
    averages_clips = True
    same_channels = True
    multi_layer = True
    min_layers = 2

    def __init__(self, k: int = 1) -> None:
        super().__init__()
        self.k = whole('k', k, 1)

    @in_float32
    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        """Return the scalar loss of two lists of tokens ``(N, L, C)`` or maps ``(N, C, [T,] H, W)``."""
        return kdsvd(student, teacher, self.k)
