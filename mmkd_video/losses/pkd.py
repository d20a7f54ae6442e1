"""Pearson correlation of features."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import pkd
from mmkd_video.losses.base import DistillLoss, in_float32

__all__ = ['PKDLoss']


@MODELS.register_module()
class PKDLoss(DistillLoss):
    """PKD: features agree up to scale and shift of each channel.

    ``mean (z_s - z_t)**2 / 2`` with ``z = (x - mean) / (std + 1e-6)`` per channel over the whole batch and all
    positions (``T * H * W`` for a clip map). Zero for one clip of one position. A channel that is all but constant
    gives zeros, with a gradient no larger than for a deviation of 1e-3 (a thousand times that in the authors' code).
    Source: https://arxiv.org/abs/2207.02039, code open-mmlab/mmrazor ``mmrazor/models/losses/pkd_loss.py``.
    """

    layouts = ('tokens', 'map')
    same_channels = True
    same_positions = True

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of tokens ``(N, L, C)`` or maps ``(N, C, [T,] H, W)``."""
        return pkd(student, teacher)
