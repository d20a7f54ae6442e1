"""Inter-channel correlation."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import ickd
from mmkd_video.losses.base import DistillLoss, in_float32

__all__ = ['ICKDLoss']


@MODELS.register_module()
class ICKDLoss(DistillLoss):
    """ICKD: channels that go together in the teacher go together in the student; positions may differ.

    ``sum (R(F_s F_s^T) - R(F_t F_t^T))**2 / (C * N**2)`` with F ``(N, C, P)`` and R the L2-normalisation of rows; a
    clip map's positions are its ``T * H * W`` places.
    Source: https://arxiv.org/abs/2202.03680, code ADLab-AutoDrive/ICKD (ImageNet); the authors' code for CIFAR divides
    by ``C * N`` only and is N times this.
    """

    layouts = ('tokens', 'map')
    same_channels = True

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of tokens ``(N, L, C)`` or maps ``(N, C, [T,] H, W)``."""
        return ickd(student, teacher)
