"""Pairwise distances."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import mds
from mmkd_video.losses.manifold import ManifoldLoss

__all__ = ['MDSLoss']


@MODELS.register_module()
class MDSLoss(ManifoldLoss):
    """MDS: the student's pairwise distances are the teacher's, up to scale.

    ``mean (d_s / mean d_s - d_t / mean d_t)**2`` over the pairs of different clips.

    Zero for fewer than three clips. Terms average maps to one vector per clip; given one directly, each clip is
    flattened, its ``T * H * W`` places being positions.
    Source: Kruskal, Psychometrika 1964, https://doi.org/10.1007/BF02289565; as a distillation loss it is ours.

    Args:
        gather: Whether to take the clips of all processes as one batch.
        queue_size: Number of earlier clips to keep beside the batch.
        student_channels: Length of the student's vectors, for the queue; a term fills it in.
        teacher_channels: Length of the teacher's vectors, for the queue; a term fills it in.

    Raises:
        ValueError: A value is out of its range.
    """

    def __init__(
        self,
        gather: bool = False,
        queue_size: int = 0,
        student_channels: int | None = None,
        teacher_channels: int | None = None,
    ) -> None:
        k = 1  # all pairs count: there are no neighbours to choose
        super().__init__(k, gather, queue_size, student_channels, teacher_channels)

    def compare(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of all clips at hand, ``(M, Cs)`` and ``(M, Ct)``."""
        return mds(student, teacher)
