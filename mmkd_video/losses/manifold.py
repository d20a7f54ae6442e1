"""The base of the manifold losses, and the clips that they see."""

from abc import abstractmethod

from torch import Tensor

from mmkd_video.losses.base import DistillLoss, in_float32, whole
from mmkd_video.losses.gather import gather_batch
from mmkd_video.losses.queue import FeatureQueue

__all__ = ['ManifoldLoss']


class ManifoldLoss(DistillLoss):
    """Base of losses over the manifold of all clips at hand: a subclass only says how to :meth:`compare` them.

    The clips are those of the batch, on request joined with those of all processes and with a queue of earlier ones.
    Terms average maps to one vector per clip; given one directly, each clip is flattened.

    Args:
        k: Number of neighbours, at least 1; at most all other clips are taken.
        gather: Whether to take the clips of all processes as one batch.
        queue_size: Number of earlier clips to keep beside the batch.
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
        self.k = whole('k', k, 1)
        self.gather = gather
        if queue_size:
            self.build_for(student_channels=student_channels, teacher_channels=teacher_channels)
        self.queue = FeatureQueue(queue_size, student_channels, teacher_channels)

    @abstractmethod
    def compare(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of all clips at hand, ``(M, Cs)`` and ``(M, Ct)``."""

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two vectors ``(N, Cs)`` and ``(N, Ct)``."""
        student, teacher = student.flatten(1), teacher.flatten(1)
        if self.gather:
            student, teacher = gather_batch(student), gather_batch(teacher)
        return self.compare(*self.queue(student, teacher, gathered=self.gather))
