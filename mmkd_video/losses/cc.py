"""Correlation congruence."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import cc
from mmkd_video.losses.base import DistillLoss, in_float32
from mmkd_video.losses.gather import gather_batch

__all__ = ['CCLoss']


@MODELS.register_module()
class CCLoss(DistillLoss):
    """CC: the product of the errors of consecutive clips is small.

    ``mean over i < N - 1 of sum over d of |s - t|[i, d] * |s - t|[i + 1, d]``; depends on the order of the batch, and
    is zero for a batch of one, where the authors' code gives NaN. Terms average maps to one vector per clip; given one
    directly, each clip is flattened, its ``T * H * W`` places being positions.
    Source: https://arxiv.org/abs/1904.01802, code HobbitLong/RepDistiller ``distiller_zoo/CC.py``.

    Args:
        gather: Whether to take the clips of all processes as one batch.
    """

    layouts = ('vector',)
    flattens = True
    same_channels = True
    same_positions = True

    def __init__(self, gather: bool = False) -> None:
        super().__init__()
        self.gather = gather

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two vectors ``(N, C)``."""
        if self.gather:
            student, teacher = gather_batch(student), gather_batch(teacher)
        return cc(student, teacher)
