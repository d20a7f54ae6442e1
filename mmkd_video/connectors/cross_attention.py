"""From the grid of a convolutional network to the tokens of a transformer."""

from collections.abc import Sequence

from torch import Tensor, nn

from mmkd_video.connectors.rows import codes_of, from_rows, to_rows
from mmkd_video.core.checked import Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.core.token_subset import TokenSubset


@MODELS.register_module()
@checked(in_channels=Whole(1), out_channels=Whole(1), heads=Whole(1))
class CrossAttentionConnector(nn.Module):
    """Each position of the teacher asks the student's whole feature: the cross-attention projector of ScaleKD.

    Queries are made from the codes of the teacher's positions, keys and values from the student's feature with the
    codes of its own; nothing is averaged, whatever the two grids, and a feed-forward layer follows. Of a student that
    sees some of its tokens, these are asked for all places, those that it does not see too. ScaleKD learns one
    query for each token of the teacher; here a linear map of the codes makes them, so that parameters depend on
    channels only.
    Source: https://arxiv.org/abs/2411.06786 .

    Args:
        in_channels: Channels of the student's feature; a term fills it in.
        out_channels: Channels of the teacher's feature; a term fills it in.
        heads: Heads of the attention; they divide ``out_channels``.

    Raises:
        ValueError: ``heads`` does not divide ``out_channels``.
    """

    sees_teacher_shape = True
    sees_places = True

    def __init__(self, in_channels: int, out_channels: int, heads: int = 4) -> None:
        super().__init__()
        if out_channels % heads:
            raise WrongValueError(
                f'CrossAttentionConnector.heads: got {heads}, which does not divide the {out_channels} channels of the '
                'teacher; choose a number that does'
            )
        self.project = nn.Sequential(nn.Linear(in_channels, out_channels), nn.LayerNorm(out_channels))
        self.queries = nn.Linear(out_channels, out_channels)
        self.attention = nn.MultiheadAttention(out_channels, heads, batch_first=True)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(out_channels),
            nn.Linear(out_channels, out_channels),
            nn.GELU(),
            nn.Linear(out_channels, out_channels),
        )

    def forward(self, student: Tensor, teacher_shape: Sequence[int], seen: TokenSubset | None = None) -> Tensor:
        """Return one row for each position of the teacher.

        Args:
            student: Map ``(N, in_channels, T, H, W)`` or tokens ``(N, L, in_channels)``.
            teacher_shape: Shape of the teacher's feature, a map or tokens, with N in front.
            seen: Places of the student's tokens in the grid of all; None for all.

        Returns:
            ``(N, out_channels, T', H', W')`` or ``(N, L', out_channels)``: the teacher's layout and positions.
        """
        rows = self.project(to_rows(student))
        rows = rows + codes_of(student, rows.shape[-1], seen)
        target = student.new_empty(()).expand(*teacher_shape)
        queries = self.queries(codes_of(target, rows.shape[-1]).to(rows.dtype)).expand(len(rows), -1, -1)
        found = self.attention(queries, rows, rows, need_weights=False)[0]
        return from_rows(found + self.feed_forward(found), target)
