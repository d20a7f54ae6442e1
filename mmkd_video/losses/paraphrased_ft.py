"""Factor transfer with its two networks."""

import torch.nn.functional as F
from torch import Tensor, nn

from mmkd_video.functional import factor_transfer
from mmkd_video.losses.base import DistillLoss, at_least, in_float32, positive
from mmkd_video.registry import MODELS

__all__ = ['ParaphrasedFTLoss']

SLOPE = 0.1


def _block(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm3d(out_channels),
        nn.LeakyReLU(SLOPE),
    )


@MODELS.register_module()
class ParaphrasedFTLoss(DistillLoss):
    """Factor transfer in full: a paraphraser condenses the teacher's map, a translator makes the student's factor.

    :class:`FTLoss` of the two factors, plus the paraphraser's mean absolute reconstruction error of the teacher's map,
    which alone trains it: the factor is a constant for the student's part. To train the paraphraser
    first, as the authors do, give ``transfer=dict(type='Warmup', begin=1, end=3)``; else both are trained at once.
    Source: https://arxiv.org/abs/1802.04977, code Jangho-Kim/Factor-Transfer-pytorch ``utils.py``, with 3x3x3
    convolutions.

    Args:
        student_channels: Channels of the student's map; a term fills it in.
        teacher_channels: Channels of the teacher's map; a term fills it in.
        rate: Channels of the factor over those of the teacher, above 0.
        transfer: Weight of the factor transfer beside the reconstruction, at least 0.

    Raises:
        ValueError: A value is out of its range.
    """

    layouts = ('map',)
    same_positions = True

    def __init__(self, student_channels: int, teacher_channels: int, rate: float = 0.5, transfer: float = 1.0) -> None:
        super().__init__()
        at_least('student_channels', student_channels, 1)
        at_least('teacher_channels', teacher_channels, 1)
        factor = max(round(teacher_channels * positive('rate', rate)), 1)
        self.transfer = at_least('transfer', transfer, 0)
        self.paraphraser = nn.Sequential(
            _block(teacher_channels, teacher_channels), _block(teacher_channels, factor), _block(factor, factor)
        )
        self.reconstruction = nn.Sequential(
            _block(factor, factor), _block(factor, teacher_channels), _block(teacher_channels, teacher_channels)
        )
        self.translator = nn.Sequential(
            _block(student_channels, student_channels), _block(student_channels, factor), _block(factor, factor)
        )

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two maps ``(N, C, [T,] H, W)``."""
        if student.ndim == 4:
            student, teacher = student.unsqueeze(2), teacher.unsqueeze(2)
        factor = self.paraphraser(teacher)
        reconstruction = F.l1_loss(self.reconstruction(factor), teacher)
        return reconstruction + self.transfer * factor_transfer(self.translator(student), factor.detach())
