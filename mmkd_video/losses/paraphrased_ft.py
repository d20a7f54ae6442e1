"""Factor transfer with its two networks."""

import torch
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

    ``transfer * |x / |x| - f / |f|| + |r(f) - t|``, both means of absolute values: :class:`FTLoss` of the translator's
    factor ``x`` and the paraphraser's ``f``, plus the error of the teacher's map ``t`` rebuilt from it, which alone
    trains the paraphraser. ``weight`` multiplies both, so the authors' 500 belongs to ``transfer``. With a schedule
    that starts at 0, ``transfer=dict(type='Warmup', value=500.0, begin=1, end=3)``, the paraphraser is trained alone
    first, as the authors do; once the transfer acts, it rests: it is given no gradient, its batch norms stand still and
    the reconstruction counts no longer. With a fixed number both are trained at once.
    Source: https://arxiv.org/abs/1802.04977, code Jangho-Kim/Factor-Transfer-pytorch ``utils.py``, with 3x3x3
    convolutions. There the first stage has an optimizer of its own (SGD); here the one optimizer may still move a
    paraphraser at rest by its weight decay (``connector_decay=0`` leaves that out) and by what is left of its momentum.

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
        self.build_for(student_channels=student_channels, teacher_channels=teacher_channels)
        factor = max(round(teacher_channels * positive('rate', rate)), 1)
        self.transfer = at_least('transfer', transfer, 0)
        self._in_stages, self._at_rest = transfer == 0, False
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
        if self._at_rest:
            with torch.no_grad():
                factor = self.paraphraser(teacher)
            resting = (*self.paraphraser.parameters(), *self.reconstruction.parameters())
            reconstruction = sum(parameter.sum() for parameter in resting) * 0.0  # DDP finds none unused
        else:
            factor = self.paraphraser(teacher)
            reconstruction = F.l1_loss(self.reconstruction(factor), teacher)
        return reconstruction + self.transfer * factor_transfer(self.translator(student), factor.detach())

    def scheduled(self, **values: float) -> None:
        """See :meth:`DistillLoss.scheduled`."""
        self._at_rest = self._in_stages and values.get('transfer', 0) > 0
        self.train(self.training)

    def train(self, mode: bool = True) -> 'ParaphrasedFTLoss':
        """Set the mode; the batch norms of a paraphraser at rest stay in eval mode."""
        super().train(mode)
        self.paraphraser.train(mode and not self._at_rest)
        return self
