"""Knowledge distillation on logits."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import kd
from mmkd_video.losses.base import DistillLoss, in_float32, positive

__all__ = ['KDLoss']


@MODELS.register_module()
class KDLoss(DistillLoss):
    """Hinton's distillation: the student imitates the softened class distribution of the teacher.

    ``temperature**2 * KL(softmax(teacher / temperature) || softmax(student / temperature))``, averaged over the batch.
    Source: https://arxiv.org/abs/1503.02531, code HobbitLong/RepDistiller ``distiller_zoo/KD.py``.

    Args:
        temperature: Positive number; larger values soften both distributions.

    Raises:
        ValueError: ``temperature`` is not above 0.
    """

    layouts = ('logits',)
    averages_clips = True
    same_classes = True
    softens = True

    def __init__(self, temperature: float = 4.0) -> None:
        super().__init__()
        self.temperature = positive('temperature', temperature)

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two logits ``(N, K)``."""
        return kd(student, teacher, self.temperature)
