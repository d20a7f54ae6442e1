"""Relational knowledge distillation."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import rkd_angles, rkd_distances
from mmkd_video.losses.base import DistillLoss, at_least, in_float32
from mmkd_video.losses.gather import gather_batch

__all__ = ['RKDLoss']


@MODELS.register_module()
class RKDLoss(DistillLoss):
    """RKD: distances and angles between the clips of a batch agree; sizes per clip may differ.

    ``distance_weight * mean huber(d_s - d_t) + angle_weight * mean huber(cos_s - cos_t)`` with d the distances in units
    of their mean, averaged over ``N**2``, and cos the cosines at all vertices, averaged over ``N**3``; both means
    include coinciding indices. Zero for one clip (NaN in the authors' code) and for two. Angles of large batches are
    computed in chunks. Terms average maps to one vector per clip; given one directly, each clip is flattened, its ``T *
    H * W`` places being positions.
    Source: https://arxiv.org/abs/1904.05068, code lenscloth/RKD ``metric/loss.py``.

    Args:
        distance_weight: Weight of the distances, at least 0.
        angle_weight: Weight of the angles, at least 0.
        gather: Whether to relate the clips of all processes instead of each process's own.

    Raises:
        ValueError: A weight is negative.
    """

    layouts = ('vector',)
    flattens = True

    def __init__(self, distance_weight: float = 25.0, angle_weight: float = 50.0, gather: bool = False) -> None:
        super().__init__()
        self.distance_weight = at_least('distance_weight', distance_weight, 0)
        self.angle_weight = at_least('angle_weight', angle_weight, 0)
        self.gather = gather

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two vectors ``(N, Cs)`` and ``(N, Ct)``."""
        if self.gather:
            student, teacher = gather_batch(student), gather_batch(teacher)
        distances = self.distance_weight * rkd_distances(student, teacher)
        return distances + self.angle_weight * rkd_angles(student, teacher)
