"""Activation boundaries."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import ab
from mmkd_video.losses.base import DistillLoss, in_float32, positive

__all__ = ['ABLoss']


@MODELS.register_module()
class ABLoss(DistillLoss):
    """AB: the student's neurons fire where the teacher's do, with a margin; read pre-activations (``tap:pre``).

    ``sum max(0, margin - s)**2`` where the teacher is above 0 and ``sum max(0, margin + s)**2`` elsewhere, over N; a
    sum, so it grows with ``C * T * H * W``. Equal sides are not zero.
    Source: https://arxiv.org/abs/1811.03233, code HobbitLong/RepDistiller ``distiller_zoo/AB.py`` without its constant
    factor 3/1000 and its layer weights: it sums L layers, layer i of them (from 0) with ``2**-(L - 1 - i)``; here each
    layer is a term with its own weight.

    Args:
        margin: Positive distance that the student must keep from zero on the right side.

    Raises:
        ValueError: ``margin`` is not above 0.
    """

    layouts = ('vector', 'tokens', 'map')
    averages_clips = True
    same_channels = True
    same_positions = True

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        self.margin = positive('margin', margin)

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of ``(N, C)``, ``(N, L, C)`` or ``(N, C, [T,] H, W)``."""
        return ab(student, teacher, self.margin)
