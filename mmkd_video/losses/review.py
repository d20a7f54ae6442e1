"""Knowledge review."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmkd_video.functional import hierarchical_context
from mmkd_video.losses.base import DistillLoss, at_least, in_float32
from mmkd_video.registry import MODELS

__all__ = ['ReviewKDLoss']


class _Fusion(nn.Module):
    """Attention-based fusion of one layer with what came from the deeper ones."""

    def __init__(self, in_channels: int, mid_channels: int, out_channels: int, fuse: bool) -> None:
        super().__init__()
        self.reduce = nn.Sequential(nn.Conv3d(in_channels, mid_channels, 1, bias=False), nn.BatchNorm3d(mid_channels))
        self.attend = nn.Conv3d(2 * mid_channels, 2, 1) if fuse else None
        self.expand = nn.Sequential(
            nn.Conv3d(mid_channels, out_channels, 3, padding=1, bias=False), nn.BatchNorm3d(out_channels)
        )

    def forward(self, feature: Tensor, deeper: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the layer for the teacher ``(N, out_channels, T, H, W)`` and the mixture to hand on."""
        mixed = self.reduce(feature)
        if self.attend is not None:
            deeper = F.interpolate(deeper, size=mixed.shape[2:], mode='nearest')
            weights = self.attend(torch.cat([mixed, deeper], dim=1)).sigmoid()
            mixed = mixed * weights[:, :1] + deeper * weights[:, 1:]
        return self.expand(mixed), mixed


@MODELS.register_module()
class ReviewKDLoss(DistillLoss):
    """ReviewKD: each teacher layer is compared with the student's layer fused with all deeper ones.

    From the deepest layer up, a learned attention mixes a layer with the mixture of the deeper ones; the results are
    compared by the hierarchical context loss (:class:`HCLLoss`). Convolutions are 1x1x1 and 3x3x3. Name the layers from
    shallow to deep; each is averaged or repeated to the teacher's ``T, H, W``.
    Source: https://arxiv.org/abs/2104.09044, code dvlab-research/ReviewKD ``CIFAR-100/model/reviewkd.py``.

    Args:
        student_channels: Channels of each student layer; a term fills it in.
        teacher_channels: Channels of each teacher layer; a term fills it in.
        mid_channels: Channels of the mixture, at least 1.

    Raises:
        ValueError: A value is out of its range.
    """

    layouts = ('map',)
    multi_layer = True

    def __init__(
        self, student_channels: Sequence[int], teacher_channels: Sequence[int], mid_channels: int = 128
    ) -> None:
        super().__init__()
        at_least('mid_channels', mid_channels, 1)
        last = len(student_channels) - 1
        self.fusions = nn.ModuleList(
            _Fusion(ours, mid_channels, theirs, fuse=index != last)
            for index, (ours, theirs) in enumerate(zip(student_channels, teacher_channels, strict=True))
        )

    @in_float32
    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        """Return the scalar loss of two lists of maps ``(N, C, [T,] H, W)``, shallow to deep."""
        student, teacher = ([x.unsqueeze(2) if x.ndim == 4 else x for x in side] for side in (student, teacher))
        results, deeper = [], None
        for feature, target, fusion in zip(student[::-1], teacher[::-1], self.fusions[::-1], strict=True):
            result, deeper = fusion(feature, deeper)
            results.insert(0, F.adaptive_avg_pool3d(result, target.shape[2:]))
        return hierarchical_context(results, teacher)
