"""Transformed teacher matching."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import ttm
from mmkd_video.losses.base import DistillLoss, in_float32, positive

__all__ = ['TTMLoss']


@MODELS.register_module()
class TTMLoss(DistillLoss):
    """TTM: only the teacher is softened.

    ``mean KL(softmax(exponent * teacher) || softmax(student))``; the student has no temperature, and no square of one
    multiplies the result. Equal sides are not zero unless the exponent is 1.
    Source: https://arxiv.org/abs/2402.11148, code zkxufo/TTM ``distiller_zoo/ttm.py``; that code raises probabilities
    to the power, which underflows in float32.

    Args:
        exponent: Positive number; 0.1 is what a temperature of 10 is elsewhere.

    Raises:
        ValueError: ``exponent`` is not above 0.
    """

    layouts = ('logits',)
    averages_clips = True
    same_classes = True

    def __init__(self, exponent: float = 0.1) -> None:
        super().__init__()
        self.exponent = positive('exponent', exponent)

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two logits ``(N, K)``."""
        return ttm(student, teacher, self.exponent)
