"""The network that tells source clips from target clips."""

from torch import Tensor, nn

from mmkd_video.losses.base import whole


class DomainClassifier(nn.Sequential):
    """Two layers: a hidden one with ReLU, and one logit.

    Args:
        in_channels: Channels of the feature.
        hidden: Channels of the hidden layer.
    """

    def __init__(self, in_channels: int, hidden: int) -> None:
        super().__init__(nn.Linear(in_channels, whole('hidden', hidden, 1)), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Return logits ``(N,)`` of being a target clip, of features ``(N, C)``."""
        return super().forward(features).squeeze(1)
