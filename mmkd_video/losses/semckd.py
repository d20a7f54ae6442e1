"""Semantic calibration of layers."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import channels_and_positions, pool_map
from mmkd_video.losses.base import DistillLoss, in_float32, whole

__all__ = ['SemCKDLoss']


@MODELS.register_module()
class SemCKDLoss(DistillLoss):
    """SemCKD: every student layer learns from all teacher layers, by an attention that is learned per clip.

    ``mean over clips and student layers of sum over teacher layers of attention * mean squared error``. Each pair has a
    trained 1x1x1 projection; positions are averaged to the smaller side's.
    Source: https://arxiv.org/abs/2012.03236, code DefangChen/SemCKD. That code makes queries and keys from the rows of
    batch similarity matrices, which ties its weights to one batch size, by networks of two layers scaled to length 1,
    and does not divide their product; here they are linear in pooled features, and the product is divided by the root
    of ``dim``. There each pair is projected by 1x1, 3x3 and 1x1 convolutions with batch norm and ReLU between them and
    twice the teacher's channels inside; here by one linear map.

    Args:
        student_channels: Channels of each student layer; a term fills it in.
        teacher_channels: Channels of each teacher layer; a term fills it in.
        dim: Length of queries and keys, at least 1.

    Raises:
        ValueError: A value is out of its range.
    """

    layouts = ('map',)
    multi_layer = True

    def __init__(self, student_channels: Sequence[int], teacher_channels: Sequence[int], dim: int = 128) -> None:
        super().__init__()
        whole('dim', dim, 1)
        self.build_for(student_channels=student_channels, teacher_channels=teacher_channels)
        self.queries = nn.ModuleList(nn.Linear(channels, dim) for channels in student_channels)
        self.keys = nn.ModuleList(nn.Linear(channels, dim) for channels in teacher_channels)
        self.projections = nn.ModuleList(
            nn.ModuleList(nn.Linear(ours, theirs) for theirs in teacher_channels) for ours in student_channels
        )

    @in_float32
    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        """Return the scalar loss of two lists of maps ``(N, C, [T,] H, W)``."""
        query, key = (
            torch.stack(
                [layer(channels_and_positions(x).mean(2)) for layer, x in zip(layers, features, strict=True)], dim=1
            )
            for layers, features in ((self.queries, student), (self.keys, teacher))
        )
        attention = (query @ key.transpose(1, 2) / query.shape[2] ** 0.5).softmax(2)
        rows = [
            torch.stack([self._error(x, y, layer) for y, layer in zip(teacher, layers, strict=True)], dim=1)
            for x, layers in zip(student, self.projections, strict=True)
        ]
        return (attention * torch.stack(rows, dim=1)).sum(2).mean()

    def _error(self, student: Tensor, teacher: Tensor, projection: nn.Module) -> Tensor:
        """Return the mean squared error ``(N,)`` of one pair of layers."""
        size = [min(sizes) for sizes in zip(student.shape[2:], teacher.shape[2:], strict=True)]
        student, teacher = (channels_and_positions(pool_map(x, size)).transpose(1, 2) for x in (student, teacher))
        return F.mse_loss(projection(student), teacher, reduction='none').mean((1, 2))
