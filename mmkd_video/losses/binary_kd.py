"""Knowledge distillation on the scores of several labels."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import binary_kd
from mmkd_video.losses.base import DistillLoss, in_float32, positive

__all__ = ['BinaryKDLoss']


@MODELS.register_module()
class BinaryKDLoss(DistillLoss):
    """Distillation for clips of several labels: each class is there or not, as the teacher says.

    ``temperature**2 * sum_k KL([p_t, 1 - p_t] || [p_s, 1 - p_s])`` with ``p = sigmoid(logits / temperature)``, averaged
    over the batch: the multi-label logits distillation (MLD) of Yang et al., whose code has no temperature.
    Source: https://arxiv.org/abs/2308.06453, code penghui-yang/L2D ``criterion/distiller_zoo/logits_based/mld.py``,
    which clamps probabilities at 1e-8; here they are exact.

    Args:
        temperature: Positive number; larger values soften both sides.

    Raises:
        ValueError: ``temperature`` is not above 0.
    """

    layouts = ('logits',)
    averages_clips = True
    same_classes = True
    several_labels = True

    def __init__(self, temperature: float = 1.0) -> None:
        super().__init__()
        self.temperature = positive('temperature', temperature)

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two logits ``(N, K)``."""
        return binary_kd(student, teacher, self.temperature)
