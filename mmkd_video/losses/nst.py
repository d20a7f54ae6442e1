"""Neuron selectivity transfer."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import nst
from mmkd_video.losses.base import DistillLoss, in_float32

__all__ = ['NSTLoss']


@MODELS.register_module()
class NSTLoss(DistillLoss):
    """NST: the channels of both sides have one distribution over the positions; their numbers may differ.

    ``mean k(t, t) + mean k(s, s) - 2 * mean k(s, t)`` with ``k(c, d) = <c, d>**2`` of channels of unit length. A clip
    map counts its ``T * H * W`` places as positions. The smaller Gram matrix, of channels or positions, is used: the
    value is the same, the memory at most ``N * min(C, P)**2``.
    Source: https://arxiv.org/abs/1707.01219, code HobbitLong/RepDistiller ``distiller_zoo/NST.py``.
    """

    layouts = ('tokens', 'map')
    averages_clips = True
    same_positions = True

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of tokens ``(N, L, C)`` or maps ``(N, C, [T,] H, W)``."""
        return nst(student, teacher)
