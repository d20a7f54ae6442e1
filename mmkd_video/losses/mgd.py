"""Masked generative distillation."""

import torch
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.losses.base import DistillLoss, at_least, in_float32

__all__ = ['MGDLoss']


@MODELS.register_module()
class MGDLoss(DistillLoss):
    """MGD: from the student's feature with hidden tubes, a small generator restores the teacher's whole feature.

    ``sum (generator(student * kept) - teacher)**2 / N``; a sum, so it grows with ``C * T * H * W``. For clips the
    generator has 3x3x3 convolutions and a hidden place is hidden in all frames (a tube): a single frame masked alone
    could be copied from its neighbours.
    Source: https://arxiv.org/abs/2205.01529, code yzd-v/MGD; that code is for images. For classification (yzd-v/cls_KD)
    it hides whole channels, for detection places as here; the default ratio and weight are those of classification, for
    detection they are 0.65 and 2e-5.

    Args:
        teacher_channels: Channels of the teacher's feature; a term fills it in.
        mask_ratio: Share of the places to hide, in [0, 1).

    Raises:
        ValueError: A value is out of its range.
    """

    layouts = ('map',)
    same_channels = True
    same_positions = True

    def __init__(self, teacher_channels: int, mask_ratio: float = 0.15) -> None:
        super().__init__()
        self.build_for(teacher_channels=teacher_channels)
        self.mask_ratio = at_least('mask_ratio', mask_ratio, 0)
        if mask_ratio >= 1:
            raise WrongValueError(f'mask_ratio: got {mask_ratio!r}; expected a number below 1; nothing would be left')
        self.generator = nn.Sequential(
            nn.Conv3d(teacher_channels, teacher_channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv3d(teacher_channels, teacher_channels, 3, padding=1),
        )

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the scalar loss.

        Args:
            student: Map ``(N, C, [T,] H, W)``.
            teacher: The same shape.
            mask: ``(N, H, W)``, True where hidden; drawn at random if left out.

        Raises:
            ValueError: ``mask`` has another shape.
        """
        if student.ndim == 4:
            student, teacher = student.unsqueeze(2), teacher.unsqueeze(2)
        shape = (student.shape[0], *student.shape[3:])
        if mask is None:
            mask = torch.rand(shape, device=student.device) < self.mask_ratio
        if tuple(mask.shape) != shape:
            raise WrongValueError(f'mask: got shape {tuple(mask.shape)}, expected (N, H, W) = {shape}')
        kept = (~mask.bool()).to(student)[:, None, None]
        return (self.generator(student * kept) - teacher).square().sum() / student.shape[0]
