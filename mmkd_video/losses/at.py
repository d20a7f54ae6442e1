"""Attention transfer."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import at
from mmkd_video.losses.base import DistillLoss, at_least, in_float32

__all__ = ['ATLoss']


@MODELS.register_module()
class ATLoss(DistillLoss):
    """Attention transfer: both sides are active at the same places; channels may differ.

    ``mean over N and P of (u_s - u_t)**2`` with ``u = m / max(|m|, 1e-12)`` and ``m = mean over channels of
    |feature|**power``. A clip map treats its ``T * H * W`` places as positions, so the value falls with their number.
    Source: https://arxiv.org/abs/1612.03928, code szagoruyko/attention-transfer ``utils.py``; that code raises signed
    features, which is the same for an even ``power`` and for activations after a ReLU.

    Args:
        power: Exponent, at least 1; larger values look at the strongest places only.

    Raises:
        ValueError: ``power`` is below 1.
    """

    layouts = ('tokens', 'map')
    averages_clips = True
    same_positions = True

    def __init__(self, power: float = 2) -> None:
        super().__init__()
        self.power = at_least('power', power, 1)

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of tokens ``(N, L, C)`` or maps ``(N, C, [T,] H, W)``."""
        return at(student, teacher, self.power)
