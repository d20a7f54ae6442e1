"""Factor transfer."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import ft
from mmkd_video.losses.base import DistillLoss, in_float32

__all__ = ['FTLoss']


@MODELS.register_module()
class FTLoss(DistillLoss):
    """Factor transfer: mean absolute difference of two factors, each sample scaled to length 1 as a whole.

    ``mean abs(s / |s| - t / |t|)`` over all elements, with ``|s|`` the length of a whole sample. A clip map counts its
    ``T * H * W`` places as positions. An all-zero sample stays zero with zero gradient.
    Source: https://arxiv.org/abs/1802.04977, code Jangho-Kim/Factor-Transfer-pytorch ``utils.py`` (no collapse of
    channels, unlike RepDistiller).
    """

    layouts = ('vector', 'tokens', 'map')
    averages_clips = True
    same_channels = True
    same_positions = True

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of ``(N, C)``, ``(N, L, C)`` or ``(N, C, [T,] H, W)``."""
        return ft(student, teacher)
