"""The head of a model whose texts depend on the video."""

from typing import Any

from mmaction.models.heads import BaseHead
from torch import Tensor, nn

from mmkd_video.core.checked import Whole, checked
from mmkd_video.core.registry import MODELS


@MODELS.register_module()
@checked(num_classes=Whole(0), in_channels=Whole(1))
class VideoTextHead(BaseHead):
    """Scores of a video for texts of its own, which ``VideoPromptBackbone`` gives.

    Args:
        num_classes: Number K of classes.
        in_channels: Number C of dimensions of the common space.
        **kwargs: ``average_clips`` and what else MMAction2's ``BaseHead`` takes.
    """

    fc_cls = None  # no linear layer: each video has its own

    def __init__(self, num_classes: int, in_channels: int, **kwargs: Any) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        self.dropout = nn.Dropout(0.0)  # the tap 'pooled' reads what comes in here

    def forward(self, x: tuple[Tensor, Tensor], **kwargs: Any) -> Tensor:
        """Return the class scores.

        Args:
            x: Videos ``(N, C)`` of length 1, and the texts of each ``(N, K, C)``, as long as scores are to be scaled.
            **kwargs: Keywords that MMAction2 gives heads, without a meaning here.

        Returns:
            ``(N, K)``.
        """
        videos, texts = x
        return (texts @ self.dropout(videos).unsqueeze(-1)).squeeze(-1)
