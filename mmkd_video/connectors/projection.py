"""The connector that is inferred where channels differ."""

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import OneOf, Whole, checked
from mmkd_video.core.registry import MODELS


@MODELS.register_module()
@checked(in_channels=Whole(1), out_channels=Whole(1), layout=OneOf('map', 'tokens', 'vector'))
class ProjectionConnector(nn.Module):
    """A linear map from the student's to the teacher's channels, the same at every position (a 1x1x1 convolution).

    The regressor of FitNets (Romero et al., ICLR 2015), widened to clips: its parameters depend on channels only.

    Args:
        in_channels: Channels of the student's feature.
        out_channels: Channels of the teacher's feature.
        layout: ``'map'``, ``'tokens'`` or ``'vector'``.
        norm: Whether a batch norm follows.

    Raises:
        ValueError: ``layout`` is none of the three.
    """

    def __init__(self, in_channels: int, out_channels: int, layout: str, norm: bool = False) -> None:
        super().__init__()
        self.layout = layout
        self.project = nn.Linear(in_channels, out_channels, bias=not norm)
        norm_class = nn.BatchNorm3d if layout == 'map' else nn.BatchNorm1d
        self.norm = norm_class(out_channels) if norm else nn.Identity()

    def forward(self, student: Tensor) -> Tensor:
        """Project the channels.

        Args:
            student: ``(N, in_channels, T, H, W)``, ``(N, L, in_channels)`` or ``(N, in_channels)``.

        Returns:
            The same layout with ``out_channels`` channels.
        """
        if self.layout == 'vector':
            return self.norm(self.project(student))
        if self.layout == 'tokens':
            return self.norm(self.project(student).transpose(1, 2)).transpose(1, 2)
        # one matrix product over all positions: on a CPU several times faster than a 1x1x1 Conv3d
        flat = torch.matmul(self.project.weight, student.flatten(2))
        if self.project.bias is not None:
            flat = flat + self.project.bias[:, None]
        return self.norm(flat.unflatten(2, student.shape[2:]))
