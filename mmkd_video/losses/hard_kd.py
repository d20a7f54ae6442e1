"""Distillation of hard labels."""

from torch import Tensor

from mmkd_video.core.checked import Number, checked
from mmkd_video.core.registry import MODELS
from mmkd_video.functional import hard_kd
from mmkd_video.losses.base import DistillLoss, in_float32

__all__ = ['HardKDLoss']


@MODELS.register_module()
@checked(smoothing=Number(0, 1, below=True))
class HardKDLoss(DistillLoss):
    """Hard-label distillation: the class that the teacher decides for is the student's label.

    Cross entropy of the student with ``argmax(teacher)``, averaged over the batch; there is no temperature. A clip
    without a label gets the teacher's this way.
    Source: https://arxiv.org/abs/2012.12877 (equation 3, half of it), code facebookresearch/deit ``losses.py``,
    ``distillation_type='hard'``. There a second head learns it, behind a token of its own; here the student's only one.

    Args:
        smoothing: Share of the label that is spread evenly over all classes, from 0 to below 1.

    Raises:
        ValueError: ``smoothing`` is out of its range.
    """

    layouts = ('logits',)
    averages_clips = True
    same_classes = True
    min_classes = 2

    def __init__(self, smoothing: float = 0.0) -> None:
        super().__init__()
        Number(0, 1, below=True).check('smoothing', smoothing)
        self.smoothing = smoothing

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two logits ``(N, K)``."""
        return hard_kd(student, teacher, self.smoothing)
