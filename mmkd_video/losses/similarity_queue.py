"""Similarities to a queue of the teacher's embeddings."""

import torch
from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import similarity_queue, unit
from mmkd_video.losses.base import DistillLoss, in_float32, positive, whole
from mmkd_video.losses.gather import gather_batch

__all__ = ['SimilarityQueueLoss']


@MODELS.register_module()
class SimilarityQueueLoss(DistillLoss):
    """SEED: the student is as near to the teacher's embeddings of many clips as the teacher itself. It needs no labels.

    ``mean KL(softmax(cos(t, q) / teacher_temperature) || softmax(cos(s, q) / temperature))``, where q runs over the
    clip's own teacher embedding t and over a queue of those of earlier clips. The student's embedding s is brought into
    the teacher's space by a connector, which a term adds where widths differ; the paper's has a hidden layer
    (``MLPConnector``). The queue begins with random directions. It is a buffer: it survives resume, and moves in
    training only, with the clips of all processes, so that these agree. Memory: ``queue_size * C`` numbers.
    Source: https://arxiv.org/abs/2101.04731, code jacobswan1/SEED ``seed/builder.py``, with temperatures of 0.2 and
    0.01 and a queue of 65536. The temperatures here are those of lightly-ai/lightly-train ``distillation.py``, which
    compares with the batch's other clips too and has a queue for each process.

    Args:
        teacher_channels: Channels of the teacher's vector; a term fills it in.
        queue_size: Number of embeddings of earlier clips; up to half of the training set is sensible.
        temperature: Positive divisor of the student's similarities.
        teacher_temperature: Positive divisor of the teacher's similarities.

    Raises:
        ValueError: A value is out of its range.
    """

    layouts = ('vector',)
    same_channels = True

    def __init__(
        self,
        teacher_channels: int,
        queue_size: int = 8192,
        temperature: float = 0.07,
        teacher_temperature: float = 0.07,
    ) -> None:
        super().__init__()
        self.temperature = positive('temperature', temperature)
        self.teacher_temperature = positive('teacher_temperature', teacher_temperature)
        whole('queue_size', queue_size, 1)
        self.build_for(teacher_channels=teacher_channels)
        self.register_buffer('queue', unit(torch.randn(queue_size, teacher_channels), 1))

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two vectors ``(N, C)``."""
        queue = self.queue.to(teacher.dtype, copy=True)  # the buffer moves before the backward pass
        loss = similarity_queue(student, teacher, queue, self.temperature, self.teacher_temperature)
        if self.training:
            self._push(gather_batch(teacher))
        return loss

    @torch.no_grad()
    def _push(self, teacher: Tensor) -> None:
        """Put the embeddings of a batch ``(N, C)`` before the others, of which the oldest go."""
        new = unit(teacher.to(self.queue.dtype), 1)
        moved = torch.cat([new, self.queue])[: len(self.queue)]
        self.queue.copy_(torch.where(new.isfinite().all(), moved, self.queue))
