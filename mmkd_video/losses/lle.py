"""Local linear reconstruction."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import lle
from mmkd_video.losses.manifold import ManifoldLoss

__all__ = ['LLELoss']


@MODELS.register_module()
class LLELoss(ManifoldLoss):
    """LLE: the weights that rebuild a clip from its neighbours in the teacher rebuild it in the student too.

    ``mean |s_i - sum_j w_ij s_j|**2`` over the student's mean squared distance to its mean, so that shrinking to a
    point gains nothing, at any size; the point itself is given the value of clips without any relation. The weights are
    regularised with 1e-3 of the trace; equal sides are zero only where clips are affine combinations of their
    neighbours.

    Zero for fewer than three clips. Terms average maps to one vector per clip; given one directly, each clip is
    flattened, its ``T * H * W`` places being positions.
    Source: Roweis and Saul, Science 2000, https://doi.org/10.1126/science.290.5500.2323; as a distillation loss it is
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
        return lle(student, teacher, self.k)
