"""Variational information distillation."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.functional import channels_and_positions
from mmkd_video.losses.base import DistillLoss, in_float32, positive

__all__ = ['VIDLoss']

MIN_VARIANCE = 1e-5


@MODELS.register_module()
class VIDLoss(DistillLoss):
    """VID: likelihood of the teacher's feature under a Gaussian around the student's, with a learned variance.

    ``mean of 0.5 * ((s - t)**2 / variance + log variance)`` with one trained variance per channel; it can be negative.
    Source: https://arxiv.org/abs/1904.05835, code HobbitLong/RepDistiller ``distiller_zoo/VID.py``. There the mean is
    what three 1x1 convolutions make of the student's feature, with ReLU between them, also where channels are equal;
    here it is what the connector gives, a linear map where channels differ, else the feature itself.

    Args:
        teacher_channels: Channels of the teacher's feature; a term fills it in.
        initial_variance: Variance at the start, above 1e-5.

    Raises:
        ValueError: A value is out of its range.
    """

    layouts = ('vector', 'tokens', 'map')
    same_channels = True
    same_positions = True

    def __init__(self, teacher_channels: int, initial_variance: float = 5.0) -> None:
        super().__init__()
        self.build_for(teacher_channels=teacher_channels)
        excess = positive('initial_variance', initial_variance) - MIN_VARIANCE
        if excess <= 0:
            raise WrongValueError(f'initial_variance: got {initial_variance!r}; expected a number above {MIN_VARIANCE}')
        raw = excess + math.log(-math.expm1(-excess))  # the inverse of softplus, for any size
        self.raw_variance = nn.Parameter(torch.full((teacher_channels, 1), raw))

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of ``(N, C)``, ``(N, L, C)`` or ``(N, C, [T,] H, W)``."""
        variance = F.softplus(self.raw_variance) + MIN_VARIANCE
        error = channels_and_positions(student) - channels_and_positions(teacher)
        return 0.5 * (error.square() / variance + variance.log()).mean()
