"""Distillation of standardised logits."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import logit_std_kd
from mmkd_video.losses.base import DistillLoss, in_float32, positive

__all__ = ['LogitStdKDLoss']


@MODELS.register_module()
class LogitStdKDLoss(DistillLoss):
    """KD of logits with zero mean and unit deviation per sample: the student need not match the teacher's scale.

    ``temperature**2 * KL(softmax(z_t / temperature) || softmax(z_s / temperature))``, averaged over the batch, with
    ``z = (logits - mean) / (1e-7 + std)``, mean and (unbiased) deviation taken over the classes of a sample; the
    gradient passes through both. For a row that is all but constant, as a classifier of zeros gives, the authors'
    gradient reaches 1e6; here it is no larger than for a deviation of 1e-3.
    Source: https://arxiv.org/abs/2403.01427, code sunshangquan/logit-standardization-KD
    ``mdistiller/distillers/KD.py``; like that code, the square of the temperature multiplies the result.

    Args:
        temperature: Positive divisor of both standardised logits.

    Raises:
        ValueError: ``temperature`` is not above 0.
    """

    layouts = ('logits',)
    averages_clips = True
    same_classes = True
    min_classes = 2

    def __init__(self, temperature: float = 2.0) -> None:
        super().__init__()
        self.temperature = positive('temperature', temperature)

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two logits ``(N, K)``."""
        return logit_std_kd(student, teacher, self.temperature)
