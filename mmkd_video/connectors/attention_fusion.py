"""The connector of ReviewKD."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmkd_video.core.checked import ListOf, Whole, checked
from mmkd_video.core.registry import MODELS


class _Fusion(nn.Module):
    """Attention-based fusion of one layer with what came from the deeper ones."""

    def __init__(self, in_channels: int, mid_channels: int, out_channels: int, deepest: bool) -> None:
        super().__init__()
        self.reduce = nn.Sequential(nn.Conv3d(in_channels, mid_channels, 1, bias=False), nn.BatchNorm3d(mid_channels))
        self.attend = None if deepest else nn.Conv3d(2 * mid_channels, 2, 1)
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
@checked(in_channels=ListOf(Whole(1)), out_channels=ListOf(Whole(1)), mid_channels=Whole(1))
class AttentionFusionConnector(nn.Module):
    """Each student layer fused with all deeper ones by a learned attention, in the teacher's channels: ReviewKD.

    ``mixed_i = a * reduce(s_i) + b * enlarged(mixed_i+1)``, and ``expand(mixed_i)`` is compared with the teacher's
    layer i; a and b are maps that a convolution makes of both parts. For losses of several layers, named from shallow
    to deep; with ``HCLLoss`` it is ReviewKD. Convolutions are 1x1x1 and 3x3x3. Layers keep the student's ``T, H, W``;
    time and space are matched afterwards by averaging the finer side.
    Source: https://arxiv.org/abs/2104.09044, code dvlab-research/ReviewKD ``CIFAR-100/model/reviewkd.py``, which brings
    the student's mixtures to the teacher's sizes before the last convolution. Its mixtures have as many channels as the
    deepest student layer, at most 512 (here 128 unless given), and it draws the weights of its convolutions by
    ``kaiming_uniform_(a=1)`` (here torch's default).

    Args:
        in_channels: Channels of each student layer; a term fills it in.
        out_channels: Channels of each teacher layer; a term fills it in.
        mid_channels: Channels of the mixture, at least 1.

    Raises:
        ValueError: ``mid_channels`` is below 1.
    """

    joins_layers = True

    def __init__(self, in_channels: Sequence[int], out_channels: Sequence[int], mid_channels: int = 128) -> None:
        super().__init__()
        last = len(in_channels) - 1
        self.fusions = nn.ModuleList(
            _Fusion(ours, mid_channels, theirs, deepest=index == last)
            for index, (ours, theirs) in enumerate(zip(in_channels, out_channels, strict=True))
        )

    def forward(self, student: Sequence[Tensor]) -> list[Tensor]:
        """Fuse from the deepest layer up.

        Args:
            student: Maps ``(N, in_channels, T, H, W)``, shallow to deep.

        Returns:
            Maps of the same time and space with ``out_channels``.
        """
        fused, deeper = [], None
        for feature, fusion in zip(reversed(student), reversed(self.fusions), strict=True):
            result, deeper = fusion(feature, deeper)
            fused.insert(0, result)
        return fused
