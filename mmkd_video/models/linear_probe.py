"""A linear classifier on the mean of what a frozen encoder gives."""

from torch import Tensor, nn

from mmkd_video.core.checked import Whole, checked
from mmkd_video.core.registry import MODELS


@MODELS.register_module()
@checked(channels=Whole(1), num_classes=Whole(1))
class LinearProbe(nn.Module):
    """The mean over all tokens, normalised, and a linear classifier.

    The norm, which learns nothing, stands where MAE (https://arxiv.org/abs/2111.06377) has a batch norm, so that one
    range of learning rates suits all encoders.

    Args:
        channels: Number C of channels of a token.
        num_classes: Number K of classes.
    """

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels, elementwise_affine=False)
        self.linear = nn.Linear(channels, num_classes)
        nn.init.trunc_normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)

    def pool(self, tokens: Tensor) -> Tensor:
        """Return one vector ``(N, C)`` for each clip.

        Args:
            tokens: ``(N, L, C)``.
        """
        return self.norm(tokens.mean(dim=1))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the class scores ``(N, K)``.

        Args:
            tokens: ``(N, L, C)``.
        """
        return self.linear(self.pool(tokens))
