"""Descriptors of a clip: how its features lie around learned centres."""

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import Whole, checked
from mmkd_video.core.registry import MODELS
from mmkd_video.models.temporal.temporal_neck import TemporalNeck


@MODELS.register_module()
@checked(in_channels=Whole(1), clusters=Whole(1, 4096), channels=Whole(0))
class NetVLADPool(TemporalNeck):
    """For each of K centres, the sum of what the features of all places differ from it, weighted by how near they are.

    ``V_k = sum_l a_k(x_l) (x_l - c_k)`` with ``a(x) = softmax(W x + b)`` over centres; features have length 1, each
    ``V_k`` is brought to length 1, and all of them together to length ``sqrt(K)``, so that a classifier that begins
    with small weights has scores to learn from. Computed in float32.
    Source: Arandjelovic et al., NetVLAD, https://arxiv.org/abs/1511.07247 , where the whole has length 1; over videos:
    Girdhar et al., ActionVLAD, https://arxiv.org/abs/1704.02895 .

    Args:
        in_channels: Channels of the map.
        clusters: Number K of centres.
        channels: Channels C that a convolution of one place brings features to before; 0 for none, C are those of the
            map then.
        **kwargs: Those of :class:`TemporalNeck`.
    """

    def __init__(self, in_channels: int, clusters: int = 8, channels: int = 0, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.levels = (in_channels,)
        self.reduce = nn.Conv3d(in_channels, channels, 1) if channels else None
        width = channels or in_channels
        self.assign = nn.Conv3d(width, clusters, 1)
        self.centres = nn.Parameter(nn.functional.normalize(torch.randn(clusters, width), dim=1))
        with torch.no_grad():  # each feature begins with the centres that it is near to
            self.assign.weight.copy_(10 * self.centres[..., None, None, None])
            self.assign.bias.zero_()

    def over_time(self, levels: list[Tensor]) -> Tensor:
        """Return ``(N, K * C, 1, 1, 1)``, the channels of a centre in a row.

        Args:
            levels: One map ``(N, C', T, H, W)``.
        """
        maps = levels[0] if self.reduce is None else self.reduce(levels[0])
        with torch.autocast(maps.device.type, enabled=False):
            maps = nn.functional.normalize(maps.float(), dim=1)
            near = self.assign(maps).flatten(2).softmax(dim=1)  # (N, K, L)
            residuals = near @ maps.flatten(2).transpose(1, 2) - near.sum(dim=2, keepdim=True) * self.centres
            vectors = nn.functional.normalize(residuals, dim=2)
        return vectors.to(levels[0].dtype).flatten(1)[..., None, None, None]
