"""Weighted transformed teacher matching."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import wttm
from mmkd_video.losses.base import DistillLoss, in_float32, positive

__all__ = ['WTTMLoss']


@MODELS.register_module()
class WTTMLoss(DistillLoss):
    """WTTM: as :class:`TTMLoss`, with more weight on the samples of which the teacher is unsure.

    ``mean w * KL(softmax(exponent * teacher) || softmax(student))`` with ``w = sum over classes of
    p_teacher**exponent``, p being probabilities. The mean is over the samples, not normalised by the weights. Equal
    sides are not zero unless the exponent is 1.
    Source: https://arxiv.org/abs/2402.11148, code zkxufo/TTM ``distiller_zoo/wttm.py``.

    Args:
        exponent: Positive exponent of the teacher's probabilities, as in TTM.

    Raises:
        ValueError: ``exponent`` is not above 0.
    """

    layouts = ('logits',)
    averages_clips = True
    same_classes = True

    def __init__(self, exponent: float = 0.2) -> None:
        super().__init__()
        self.exponent = positive('exponent', exponent)

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two logits ``(N, K)``."""
        return wttm(student, teacher, self.exponent)
