"""Similarity-preserving distillation."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import sp
from mmkd_video.losses.base import DistillLoss, in_float32
from mmkd_video.losses.gather import gather_batch

__all__ = ['SPLoss']


@MODELS.register_module()
class SPLoss(DistillLoss):
    """SP: clips that are similar for the teacher are similar for the student; sizes per sample may differ.

    ``|R(F_s F_s^T) - R(F_t F_t^T)|**2 / N**2`` with one row of F per clip and R the L2-normalisation of rows. A clip
    map is flattened: its ``T * H * W`` places are positions. Zero for a batch of one.
    Source: https://arxiv.org/abs/1907.09682, code HobbitLong/RepDistiller ``distiller_zoo/SP.py``.

    Args:
        gather: Whether to compare the clips of all processes instead of each process's own.
    """

    layouts = ('vector', 'tokens', 'map')

    def __init__(self, gather: bool = False) -> None:
        super().__init__()
        self.gather = gather

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two features ``(N, ...)``."""
        if self.gather:
            student, teacher = gather_batch(student), gather_batch(teacher)
        return sp(student, teacher)
