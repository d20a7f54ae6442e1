"""A connector of two layers."""

from torch import Tensor, nn

from mmkd_video.connectors.rows import codes_of, from_rows, to_rows
from mmkd_video.core.checked import OneOf, Optional, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.core.token_subset import TokenSubset


@MODELS.register_module()
@checked(
    in_channels=Whole(1),
    out_channels=Whole(1),
    layout=OneOf('map', 'tokens', 'vector'),
    hidden_channels=Optional(Whole(1), 'as many as go out'),
)
class MLPConnector(nn.Module):
    """Layer norm, linear map, GELU, linear map, the same at every position: the decoder of aligned tokens.

    UMT and InternVideo2 align a student's tokens to a teacher's through a linear map and a layer norm after fixed codes
    of the positions were added; a hidden layer is what DINOv2 and RADIO put there. The codes are computed, so that
    parameters depend on channels only.
    Source: https://arxiv.org/abs/2303.16058 , https://arxiv.org/abs/2403.15377 , https://arxiv.org/abs/2312.06709 .

    Args:
        in_channels: Channels of the student's feature; a term fills it in.
        out_channels: Channels of the teacher's feature; a term fills it in.
        layout: ``'map'``, ``'tokens'`` or ``'vector'``; a term fills it in.
        hidden_channels: Width of the hidden layer; None for ``out_channels``.
        position: Whether sine and cosine codes of the positions are added to the student's feature first.
        out_norm: Whether a layer norm follows, for targets that are normalised too.

    Raises:
        ValueError: An argument is out of range, or a vector, which has no position, shall have codes.
    """

    sees_places = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        layout: str,
        hidden_channels: int | None = None,
        position: bool = False,
        out_norm: bool = False,
    ) -> None:
        super().__init__()
        if position and layout == 'vector':
            raise WrongValueError('MLPConnector.position: got True for vectors, which have no position; leave it out')
        hidden = hidden_channels or out_channels
        self.position = position
        self.in_norm = nn.LayerNorm(in_channels)
        self.layers = nn.Sequential(nn.Linear(in_channels, hidden), nn.GELU(), nn.Linear(hidden, out_channels))
        self.out_norm = nn.LayerNorm(out_channels) if out_norm else nn.Identity()

    def forward(self, student: Tensor, seen: TokenSubset | None = None) -> Tensor:
        """Map the channels.

        Args:
            student: ``(N, in_channels, T, H, W)``, ``(N, L, in_channels)`` or ``(N, in_channels)``.
            seen: Places of the tokens in the grid of all; None for all.

        Returns:
            The same layout with ``out_channels`` channels.
        """
        rows = to_rows(student)
        if self.position:
            rows = rows + codes_of(student, rows.shape[-1], seen)
        return from_rows(self.out_norm(self.layers(self.in_norm(rows))), student)
