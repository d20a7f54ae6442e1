"""Softmax regression representation learning."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import channels_and_positions
from mmkd_video.losses.base import DistillLoss, in_float32

__all__ = ['SRRLLoss']


@MODELS.register_module()
class SRRLLoss(DistillLoss):
    """SRRL: the teacher's own classifier sees in the student's feature what it sees in the teacher's.

    ``mean (pool s - pool t)**2 + mean (head(pool s) - head(pool t))**2``; the gradient passes through the frozen
    classifier into the student. ``pool`` averages tokens over their places and a map over its ``T * H * W``.
    Source: https://openreview.net/forum?id=ZzwDy_wiWv, code jingyang2017/KD_SRRL. There the student's map always passes
    a 1x1 convolution, batch norm and ReLU; here a linear map is put before the loss, and only where channels differ.
    """

    layouts = ('vector', 'tokens', 'map')
    averages_clips = True
    same_channels = True

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor, teacher_head: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the scalar loss.

        Args:
            student: ``(N, C)``, ``(N, L, C)`` or ``(N, C, [T,] H, W)``.
            teacher: The same channels; what the classifier reads, before or after pooling.
            teacher_head: The teacher's frozen classifier, ``(N, C)`` to ``(N, K)``.
        """
        student, teacher = (channels_and_positions(feature).mean(2) for feature in (student, teacher))
        ours, theirs = teacher_head(student), teacher_head(teacher)
        return F.mse_loss(student, teacher) + F.mse_loss(ours, theirs.detach())
