"""Weighted soft labels."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import class_indices, wsld
from mmkd_video.losses.base import DistillLoss, in_float32, positive

__all__ = ['WSLDLoss']


@MODELS.register_module()
class WSLDLoss(DistillLoss):
    """WSLD: soft labels count more for samples on which the student lags behind the teacher.

    ``temperature**2 * mean (1 - exp(-ce_s / (ce_t + 1e-7))) * ce(softmax(teacher / temperature), student /
    temperature)``; the weight is a constant for the gradient. Equal sides are not zero.
    Source: https://arxiv.org/abs/2102.00650, code yzd-v/cls_KD ``mmcls/models/dis_losses/wsld.py``; its outer weight is
    the term's. That code's default temperature is 4; its ImageNet configs have 2, as the authors' own code.

    Args:
        temperature: Positive divisor of both logits.

    Raises:
        ValueError: ``temperature`` is not above 0.
    """

    layouts = ('logits',)
    averages_clips = True
    same_classes = True
    softens = True
    min_classes = 2

    def __init__(self, temperature: float = 2.0) -> None:
        super().__init__()
        self.temperature = positive('temperature', temperature)

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        """Return the scalar loss of two logits ``(N, K)`` and labels ``(N,)`` or ``(N, K)`` (largest class)."""
        return wsld(student, teacher, class_indices(labels, student), self.temperature)
