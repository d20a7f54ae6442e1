"""Normalised knowledge distillation."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import class_indices, nkd
from mmkd_video.losses.base import DistillLoss, at_least, in_float32, positive

__all__ = ['NKDLoss']


@MODELS.register_module()
class NKDLoss(DistillLoss):
    """NKD: soft cross-entropy of the target class, and of the normalised other classes.

    ``-mean p_t[y] log p_s[y] - gamma * temperature**2 * mean sum over c != y of q_t log q_s``, q the distribution over
    the other classes. The temperature softens the second part only. Being cross-entropies, equal sides are not zero.
    Source: https://arxiv.org/abs/2303.13005, code yzd-v/cls_KD ``mmcls/models/dis_losses/nkd.py``.

    Args:
        temperature: Positive number that softens the other classes only.
        gamma: Weight of the second part, at least 0.

    Raises:
        ValueError: A value is out of its range.
    """

    layouts = ('logits',)
    averages_clips = True
    same_classes = True
    min_classes = 2

    def __init__(self, temperature: float = 1.0, gamma: float = 1.5) -> None:
        super().__init__()
        self.temperature = positive('temperature', temperature)
        self.gamma = at_least('gamma', gamma, 0)

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        """Return the scalar loss of two logits ``(N, K)`` and labels ``(N,)`` or ``(N, K)`` (largest class)."""
        return nkd(student, teacher, class_indices(labels, student), self.temperature, self.gamma)
