"""Features of earlier batches."""

import torch
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.losses.base import whole
from mmkd_video.losses.gather import gather_batch

__all__ = ['FeatureQueue']


class FeatureQueue(nn.Module):
    """Join a batch with the features of earlier ones, so that small video batches still show a manifold.

    Earlier features are constants for the gradient. The queue is kept in buffers, which survive resume; it fills and
    moves in training only, with the clips of all processes, so that these agree. A batch with infinities is left out.

    Args:
        size: Number of clips to keep per side; 0 keeps none.
        student_channels: Length of the student's vectors; needed if ``size`` is above 0.
        teacher_channels: Length of the teacher's vectors; needed if ``size`` is above 0.

    Raises:
        ValueError: ``size`` is negative, or a number of channels is missing.
    """

    def __init__(self, size: int, student_channels: int | None, teacher_channels: int | None) -> None:
        super().__init__()
        self.size = whole('queue_size', size, 0)
        self._full = False  # known on the host: reading ``filled`` makes it wait for an accelerator
        if size == 0:
            return
        if student_channels is None or teacher_channels is None:
            raise WrongValueError(
                f'student_channels, teacher_channels: got {student_channels} and {teacher_channels}, expected the '
                'lengths of both vectors for a queue; a term fills them in'
            )
        self.register_buffer('student', torch.zeros(size, student_channels))
        self.register_buffer('teacher', torch.zeros(size, teacher_channels))
        self.register_buffer('filled', torch.zeros((), dtype=torch.long))

    def forward(self, student: Tensor, teacher: Tensor, gathered: bool = False) -> tuple[Tensor, Tensor]:
        """Return both sides ``(N + filled, C)``, the batch first, then the latest of earlier clips.

        Args:
            student: ``(N, student_channels)``.
            teacher: ``(N, teacher_channels)``.
            gathered: Whether both are already the clips of all processes.
        """
        if self.size == 0:
            return student, teacher
        filled = self.size if self._full else int(self.filled)
        self._full = filled == self.size
        joined = [
            torch.cat([batch, kept[:filled].to(batch.dtype)])
            for batch, kept in ((student, self.student.clone()), (teacher, self.teacher.clone()))
        ]
        if self.training:
            sides = student.detach(), teacher
            self._push(*(sides if gathered else map(gather_batch, sides)))
        return joined[0], joined[1]

    def _load_from_state_dict(self, *args, **kwargs) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._full = False

    @torch.no_grad()
    def _push(self, student: Tensor, teacher: Tensor) -> None:
        fine = student.isfinite().all() & teacher.isfinite().all()  # gradient scaling skips a step that overflowed
        for kept, new in ((self.student, student), (self.teacher, teacher)):
            kept.copy_(torch.where(fine, torch.cat([new.to(kept.dtype), kept])[: self.size], kept))
        self.filled.copy_(torch.where(fine, self.filled + len(student), self.filled).clamp_max(self.size))
