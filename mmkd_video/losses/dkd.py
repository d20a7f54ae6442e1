"""Decoupled knowledge distillation."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import class_indices, dkd
from mmkd_video.losses.base import DistillLoss, at_least, in_float32, positive

__all__ = ['DKDLoss']


@MODELS.register_module()
class DKDLoss(DistillLoss):
    """DKD: the target class against all others, and the others among themselves, each with its own weight.

    ``temperature**2 * (alpha * KL(b_t || b_s) + beta * KL(q_t || q_s))``, averaged over the batch, with
    ``b = (p_target, 1 - p_target)`` and q the distribution over the other classes; with two classes q agrees always.
    Source: https://arxiv.org/abs/2203.08679, code megvii-research/mdistiller ``distillers/DKD.py``. That code masks
    with -1000 and takes ``log(sum(softmax))``, which breaks for confident networks; here the target is left out exactly
    and everything stays in log-space. Its warm-up is a schedule of the term's weight.

    Args:
        temperature: Positive divisor of both logits.
        alpha: Weight of the target's part, at least 0.
        beta: Weight of the other classes' part, at least 0.

    Raises:
        ValueError: A value is out of its range.
    """

    layouts = ('logits',)
    averages_clips = True
    same_classes = True
    softens = True
    min_classes = 2

    def __init__(self, temperature: float = 4.0, alpha: float = 1.0, beta: float = 8.0) -> None:
        super().__init__()
        self.temperature = positive('temperature', temperature)
        self.alpha = at_least('alpha', alpha, 0)
        self.beta = at_least('beta', beta, 0)

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        """Return the scalar loss of two logits ``(N, K)`` and labels ``(N,)`` or ``(N, K)`` (largest class)."""
        target = class_indices(labels, student)
        return dkd(student, teacher, target, self.temperature, self.alpha, self.beta)
