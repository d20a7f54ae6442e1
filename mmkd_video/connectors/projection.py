"""The connector that is inferred where channels differ."""

from torch import Tensor, nn

from mmkd_video.registry import MODELS


@MODELS.register_module()
class ProjectionConnector(nn.Module):
    """A 1x1x1 convolution (maps) or linear layer (vectors, tokens) from the student's to the teacher's channels.

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
        if layout not in ('map', 'tokens', 'vector'):
            raise ValueError(f"ProjectionConnector.layout: got {layout!r}; expected 'map', 'tokens' or 'vector'")
        self.layout = layout
        if layout == 'map':
            self.project = nn.Conv3d(in_channels, out_channels, kernel_size=1, bias=not norm)
            self.norm = nn.BatchNorm3d(out_channels) if norm else nn.Identity()
        else:
            self.project = nn.Linear(in_channels, out_channels, bias=not norm)
            self.norm = nn.BatchNorm1d(out_channels) if norm else nn.Identity()

    def forward(self, student: Tensor) -> Tensor:
        """Project the channels.

        Args:
            student: ``(N, in_channels, T, H, W)``, ``(N, L, in_channels)`` or ``(N, in_channels)``.

        Returns:
            The same layout with ``out_channels`` channels.
        """
        projected = self.project(student)
        if self.layout == 'tokens':
            return self.norm(projected.transpose(1, 2)).transpose(1, 2)
        return self.norm(projected)
