"""Neighbourhood graph."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import laplacian
from mmkd_video.losses.manifold import ManifoldLoss

__all__ = ['LaplacianLoss']


@MODELS.register_module()
class LaplacianLoss(ManifoldLoss):
    """Laplacian eigenmap: clips that are near for the teacher are near for the student.

    The mean squared distance of the student over the teacher's graph of neighbours (heat kernel), over that of all
    pairs: 1 for a student without neighbourhoods. Equal sides are not zero.

    Zero for fewer than three clips. Terms average maps to one vector per clip; given one directly, each clip is
    flattened, its ``T * H * W`` places being positions.
    Source: Belkin and Niyogi, Neural Computation 2003, https://doi.org/10.1162/089976603321780317; as a distillation
    loss it is ours.

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
        return laplacian(student, teacher, self.k)
