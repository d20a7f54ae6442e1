"""Probabilistic knowledge transfer."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import pkt
from mmkd_video.losses.base import DistillLoss, in_float32
from mmkd_video.losses.gather import gather_batch

__all__ = ['PKTLoss']


@MODELS.register_module()
class PKTLoss(DistillLoss):
    """PKT: each clip has the same neighbours with the same probabilities; sizes per clip may differ.

    ``mean over N * N of p_t * log((p_t + 1e-7) / (p_s + 1e-7))``, p the rows of ``(cosine + 1) / 2`` scaled to sum 1,
    diagonal included. Terms average maps to one vector per clip; given one directly, each clip is flattened, its
    ``T * H * W`` places being positions.
    Source: https://arxiv.org/abs/1803.10837, code HobbitLong/RepDistiller ``distiller_zoo/PKT.py``.

    Args:
        gather: Whether to relate the clips of all processes instead of each process's own.
    """

    layouts = ('vector',)
    flattens = True

    def __init__(self, gather: bool = False) -> None:
        super().__init__()
        self.gather = gather

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two vectors ``(N, Cs)`` and ``(N, Ct)``."""
        if self.gather:
            student, teacher = gather_batch(student), gather_batch(teacher)
        return pkt(student, teacher)
