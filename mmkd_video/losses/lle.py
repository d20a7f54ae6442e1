"""Local linear reconstruction."""

from torch import Tensor

from mmkd_video.functional import gather_batch, locally_linear
from mmkd_video.losses.base import DistillLoss, at_least, in_float32
from mmkd_video.losses.queue import FeatureQueue
from mmkd_video.registry import MODELS

__all__ = ['LLELoss']


@MODELS.register_module()
class LLELoss(DistillLoss):
    """LLE: the weights that rebuild a clip from its neighbours in the teacher rebuild it in the student too.

    ``mean |s_i - sum_j w_ij s_j|**2`` over the student's mean squared distance to its mean, so that shrinking to a
    point gains nothing. The weights are regularised with 1e-3 of the trace; equal sides are zero only where clips are
    affine combinations of their neighbours.

    Zero for fewer than three clips. Terms average maps to one vector per clip; given one directly, each clip is
    flattened, its ``T * H * W`` places being positions.
    Source: Roweis and Saul, Science 2000, https://doi.org/10.1126/science.290.5500.2323; as a distillation loss it is
    ours.

    Args:
        k: Number of neighbours, at least 1; at most all other clips are taken.
        gather: Take the clips of all processes as one batch.
        queue_size: How many earlier clips to keep beside the batch.
        student_channels: Length of the student's vectors, for the queue; a term fills it in.
        teacher_channels: Length of the teacher's vectors, for the queue; a term fills it in.

    Raises:
        ValueError: A value is out of its range.
    """

    layouts = ('vector',)
    flattens = True

    def __init__(
        self,
        k: int = 5,
        gather: bool = False,
        queue_size: int = 0,
        student_channels: int | None = None,
        teacher_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.k = at_least('k', k, 1)
        self.gather = gather
        self.queue = FeatureQueue(queue_size, student_channels, teacher_channels)

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two vectors ``(N, Cs)`` and ``(N, Ct)``."""
        student, teacher = student.flatten(1), teacher.flatten(1)
        if self.gather:
            student, teacher = gather_batch(student), gather_batch(teacher)
        student, teacher = self.queue(student, teacher)
        return locally_linear(student, teacher, self.k)
