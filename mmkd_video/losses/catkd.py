"""Class attention transfer."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import catkd
from mmkd_video.losses.base import DistillLoss, in_float32, whole

__all__ = ['CATKDLoss']


@MODELS.register_module()
class CATKDLoss(DistillLoss):
    """CAT-KD: the class activation maps agree after pooling, each scaled to length 1.

    ``mean (u_s - u_t)**2`` with u the pooled map of a sample and class over its length. A clip map is averaged in time
    too, to at most ``pool`` steps. Channels are classes: read the tap ``cam``, the classifier applied at
    every place.
    Source: https://arxiv.org/abs/2305.06442, code GzyAftermath/CAT-KD ``mdistiller/distillers/CAT_KD.py`` with its
    default ``IF_NORMALIZE=True``; some of its configs leave out the scaling, which is not offered here.

    Args:
        pool: Places per side after pooling, at least 1.

    Raises:
        ValueError: ``pool`` is below 1.
    """

    layouts = ('map',)
    averages_clips = True
    same_channels = True

    def __init__(self, pool: int = 2) -> None:
        super().__init__()
        self.pool = whole('pool', pool, 1)

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two maps ``(N, K, [T,] H, W)``."""
        return catkd(student, teacher, self.pool)
