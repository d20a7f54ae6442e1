"""A connector that changes no angle."""

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import OneOf, Whole, checked
from mmkd_video.core.registry import MODELS


@MODELS.register_module()
@checked(in_channels=Whole(1), out_channels=Whole(1), layout=OneOf('map', 'tokens', 'vector'))
class OrthogonalConnector(nn.Module):
    """A linear map that keeps lengths and angles, as far as the channels allow: VkD.

    With more channels going out than in, the map's columns are orthonormal: similarities of student features are those
    of the mapped ones, so that the map cannot learn what the student shall learn. With fewer its rows are orthonormal.
    Orthogonality holds in every step (a product of Householder reflections).
    Source: https://arxiv.org/abs/2403.06213 , which also normalises the teacher's feature: by standardisation for
    recognition (``target_norm`` of a term).

    Args:
        in_channels: Channels of the student's feature; a term fills it in.
        out_channels: Channels of the teacher's feature; a term fills it in.
        layout: ``'map'``, ``'tokens'`` or ``'vector'``; a term fills it in.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(self, in_channels: int, out_channels: int, layout: str) -> None:
        super().__init__()
        self.layout = layout
        linear = nn.Linear(in_channels, out_channels, bias=False)
        nn.init.orthogonal_(linear.weight)
        self.project = nn.utils.parametrizations.orthogonal(
            linear, orthogonal_map='householder', use_trivialization=False
        )

    def forward(self, student: Tensor) -> Tensor:
        """Map the channels.

        Args:
            student: ``(N, in_channels, T, H, W)``, ``(N, L, in_channels)`` or ``(N, in_channels)``.

        Returns:
            The same layout with ``out_channels`` channels.
        """
        if student.ndim != 5:
            return self.project(student)
        return torch.matmul(self.project.weight, student.flatten(2)).unflatten(2, student.shape[2:])
