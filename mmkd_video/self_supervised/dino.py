"""Self-distillation with no labels."""

import torch
from torch import Tensor

from mmkd_video.core.checked import Fraction
from mmkd_video.core.registry import MODELS
from mmkd_video.functional import centred_cross_entropy
from mmkd_video.losses.base import DistillLoss, in_float32, positive
from mmkd_video.losses.gather import gather_batch


@MODELS.register_module()
class DINOLoss(DistillLoss):
    """DINO: the student says of a clip what its moving average, centred and sharpened, says of another view of it.

    ``-mean sum softmax((t - c) / teacher_temperature) * log_softmax(s / temperature)``, where the centre c is the
    moving average of the teacher's scores over the batches of all processes. Sharpening keeps the scores from becoming
    uniform, centring keeps one prototype from winning for all clips: a student that says the same of all clips is
    against a uniform target, and has a loss of ``log K`` at least. The centre is a buffer: it survives resume, and
    moves in training only, after the loss has read it. Source: https://arxiv.org/abs/2104.14294, code
    facebookresearch/dino ``main_dino.py``; there each clip has several views in a step, here one on each side.

    Args:
        teacher_channels: Number K of prototypes; a term fills it in.
        temperature: Positive divisor of the student's scores.
        teacher_temperature: Positive divisor of the teacher's scores, smaller than the student's.
        momentum: Share of the centre that a batch leaves, above 0 and below 1.

    Raises:
        ValueError: A value is out of its range.
    """

    layouts = ('logits',)
    same_classes = True
    min_classes = 2

    def __init__(
        self,
        teacher_channels: int,
        temperature: float = 0.1,
        teacher_temperature: float = 0.04,
        momentum: float = 0.9,
    ) -> None:
        super().__init__()
        self.temperature = positive('temperature', temperature)
        self.teacher_temperature = positive('teacher_temperature', teacher_temperature)
        Fraction().check('momentum', momentum)
        self.momentum = momentum
        self.build_for(teacher_channels=teacher_channels)
        self.register_buffer('centre', torch.zeros(teacher_channels))

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two scores ``(N, K)``."""
        centre = self.centre.to(teacher.dtype, copy=True)  # the buffer moves before the backward pass
        loss = centred_cross_entropy(student, teacher, centre, self.temperature, self.teacher_temperature)
        if self.training:
            self._move(gather_batch(teacher))
        return loss

    @torch.no_grad()
    def _move(self, teacher: Tensor) -> None:
        moved = self.centre.lerp(teacher.mean(dim=0).to(self.centre), 1 - self.momentum)
        self.centre.copy_(torch.where(moved.isfinite().all(), moved, self.centre))
