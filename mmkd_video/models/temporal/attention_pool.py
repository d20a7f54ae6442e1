"""A weighted average whose weights are learned from what stands at each place."""

from torch import Tensor, nn

from mmkd_video.core.checked import OneOf, Whole, checked
from mmkd_video.core.registry import MODELS
from mmkd_video.models.temporal.bins import reduce_over
from mmkd_video.models.temporal.temporal_neck import TemporalNeck


@MODELS.register_module()
@checked(in_channels=Whole(1), hidden_channels=Whole(1), heads=Whole(1), over=OneOf('time', 'space_time'))
class AttentionPool(TemporalNeck):
    """The average of all places of a clip, weighted by ``softmax(w tanh(V x))``.

    Source: Ilse et al., Attention-based Deep Multiple Instance Learning, https://arxiv.org/abs/1802.04712 , without its
    gate; several heads weigh for themselves, and their averages stand side by side.

    Args:
        in_channels: Channels C of the map.
        hidden_channels: Rows of V.
        heads: Number of weighted averages.
        over: ``'space_time'``: each place at each time has a weight; ``'time'``: each time has one, and its places are
            averaged.
        **kwargs: Those of :class:`TemporalNeck`.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 64,
        heads: int = 1,
        over: str = 'space_time',
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.levels, self.over = (in_channels,), over
        self.hidden = nn.Conv3d(in_channels, hidden_channels, 1)
        self.weights = nn.Conv3d(hidden_channels, heads, 1)

    def over_time(self, levels: list[Tensor]) -> Tensor:
        """Return ``(N, C * heads, 1, 1, 1)``.

        Args:
            levels: One map ``(N, C, T, H, W)``.
        """
        (maps,) = levels
        if self.over == 'time':
            maps = reduce_over(maps, (3, 4), 'avg')
        weights = self.weights(self.hidden(maps).tanh()).flatten(2).softmax(dim=2)  # (N, heads, L)
        return (weights @ maps.flatten(2).transpose(1, 2)).flatten(1)[..., None, None, None]
