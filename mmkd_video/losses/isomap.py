"""Geodesic distances."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import isomap
from mmkd_video.losses.manifold import ManifoldLoss

__all__ = ['IsomapLoss']


@MODELS.register_module()
class IsomapLoss(ManifoldLoss):
    """Isomap: the student's straight distances are the teacher's along its manifold, up to scale.

    ``mean (d_s / mean d_s - g_t / mean g_t)**2`` with g the shortest paths over the teacher's graph of neighbours;
    pairs without a path are left out. Equal sides are zero only on a flat manifold.

    Zero for fewer than three clips. Terms average maps to one vector per clip; given one directly, each clip is
    flattened, its ``T * H * W`` places being positions.
    Source: Tenenbaum et al., Science 2000, https://doi.org/10.1126/science.290.5500.2319; as a distillation loss it is
    ours.

    Args:
        k: Number of neighbours, at least 1; at most all other clips are taken.
        gather: Whether to take the clips of all processes as one batch.
        queue_size: Number of earlier clips to keep beside the batch.
        student_channels: Length of the student's vectors, for the queue; a term fills it in.
        teacher_channels: Length of the teacher's vectors, for the queue; a term fills it in.

    Raises:
        ValueError: A value is out of its range.
    """

    def compare(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of all clips at hand, ``(M, Cs)`` and ``(M, Ct)``."""
        return isomap(student, teacher, self.k)
