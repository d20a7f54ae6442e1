"""Channel-wise distillation."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import cwd
from mmkd_video.losses.base import DistillLoss, in_float32, positive

__all__ = ['CWDLoss']


@MODELS.register_module()
class CWDLoss(DistillLoss):
    """CWD: KD in which every channel is a distribution over positions.

    ``temperature**2 * KL`` averaged over samples and channels; a clip map's positions are its ``T * H * W`` places.
    Source: https://arxiv.org/abs/2011.13256, code open-mmlab/mmrazor ``mmrazor/models/losses/cwd.py``; that code's
    default temperature is 1, the paper's is 4.

    Args:
        temperature: Positive divisor of both features.

    Raises:
        ValueError: ``temperature`` is not above 0.
    """

    layouts = ('tokens', 'map')
    averages_clips = True
    same_channels = True
    same_positions = True

    def __init__(self, temperature: float = 4.0) -> None:
        super().__init__()
        self.temperature = positive('temperature', temperature)

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of tokens ``(N, L, C)`` or maps ``(N, C, [T,] H, W)``."""
        return cwd(student, teacher, self.temperature)
