"""The head of MoViNets."""

from mmaction.models.heads import BaseHead
from mmengine.model.weight_init import normal_init
from torch import Tensor, nn

from mmkd_video.core.checked import Number, Whole, checked
from mmkd_video.core.registry import MODELS
from mmkd_video.models.streaming.movinet_arch import HEAD_CHANNELS
from mmkd_video.models.streaming.running_mean import RunningMean


@MODELS.register_module()
@checked(num_classes=Whole(1), in_channels=Whole(1), hidden_channels=Whole(1), dropout_ratio=Number(0, 1, below=True))
class MoViNetHead(BaseHead):
    """Average over pixels and frames, a hidden layer, and the classifier; in a stream, over the frames so far.

    Source: Kondratyuk et al., MoViNets, CVPR 2021, https://arxiv.org/abs/2103.11511.

    Args:
        num_classes: Number of classes.
        in_channels: Channels of the backbone's features.
        hidden_channels: Channels of the hidden layer.
        dropout_ratio: Part of the hidden layer that is dropped in training.
        init_std: Standard deviation of the classifier's first weights.
        causal: Whether the activation is that of a causal backbone.
        **kwargs: Those of MMAction2's ``BaseHead``.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        hidden_channels: int = HEAD_CHANNELS,
        dropout_ratio: float = 0.5,
        init_std: float = 0.01,
        causal: bool = True,
        **kwargs: object,
    ) -> None:
        kwargs.setdefault('loss_cls', dict(type='CrossEntropyLoss'))
        super().__init__(num_classes, in_channels, **kwargs)
        self.init_std = init_std
        self.running_mean = RunningMean()
        self.fc1 = nn.Linear(in_channels, hidden_channels)
        self.activation = nn.Hardswish() if causal else nn.SiLU()
        self.dropout = nn.Dropout(dropout_ratio)
        self.fc_cls = nn.Linear(hidden_channels, num_classes)

    def init_weights(self) -> None:
        """Draw the first weights."""
        nn.init.kaiming_normal_(self.fc1.weight)
        nn.init.zeros_(self.fc1.bias)
        normal_init(self.fc_cls, std=self.init_std)

    def forward(self, x: Tensor, **kwargs: object) -> Tensor:
        """Return ``(N, K)`` scores.

        Args:
            x: ``(N, in_channels, T, H, W)``; T is 1 in a stream.
            **kwargs: Others that recognizers give to heads, which are not used.
        """
        average = x.mean(dim=(3, 4))
        average = self.running_mean(average)[:, :, 0] if self.running_mean.streams else average.mean(dim=2)
        return self.fc_cls(self.dropout(self.activation(self.fc1(average))))
