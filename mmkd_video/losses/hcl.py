"""Hierarchical context loss."""

from collections.abc import Sequence

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import hcl
from mmkd_video.losses.base import DistillLoss, in_float32

__all__ = ['HCLLoss']


@MODELS.register_module()
class HCLLoss(DistillLoss):
    """HCL of ReviewKD: mean squared error of every level, as it is and averaged to 4, 2 and 1 places per side.

    The sum over levels of ``(mse + sum over k of mse_k / 2**k) / (1 + sum over k of 1 / 2**k)``, with ``mse_k`` the
    error after the k-th pooling. Poolings that are not smaller than the height are left out, and the next one takes
    their weight. A clip map is averaged in time to as many steps too, where it has as many.
    Source: https://arxiv.org/abs/2104.09044, code dvlab-research/ReviewKD ``CIFAR-100/model/reviewkd.py``.
    """

    layouts = ('map',)
    averages_clips = True
    same_channels = True
    same_positions = True
    multi_layer = True

    @in_float32
    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        """Return the scalar loss of two lists of maps ``(N, C, [T,] H, W)``."""
        return hcl(student, teacher)
