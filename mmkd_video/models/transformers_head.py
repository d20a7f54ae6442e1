"""The last layer of a classifier of Hugging Face transformers."""

from typing import Any

from mmaction.models.heads import BaseHead
from mmengine.model import normal_init
from torch import Tensor, nn

from mmkd_video.core.checked import Whole, checked
from mmkd_video.core.registry import MODELS


@MODELS.register_module()
@checked(num_classes=Whole(0), in_channels=Whole(1))
class TransformersHead(BaseHead):
    """One linear layer on the vector that ``TransformersBackbone`` gives; none for a model without a classifier.

    Args:
        num_classes: Number K of classes; 0 of a model that has features only.
        in_channels: Length C of the vector.
        **kwargs: ``loss_cls`` and what else MMAction2's ``BaseHead`` takes.
    """

    def __init__(self, num_classes: int, in_channels: int, **kwargs: Any) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        self.dropout = nn.Dropout(0.0)  # the tap 'pooled' reads what comes in here
        self.fc_cls = nn.Linear(in_channels, num_classes) if num_classes else nn.Identity()

    def init_weights(self) -> None:
        """Initialise the linear layer."""
        if isinstance(self.fc_cls, nn.Linear):
            normal_init(self.fc_cls, std=0.02)

    def forward(self, x: Tensor, **kwargs: Any) -> Tensor:
        """Return the class scores.

        Args:
            x: ``(N, C)``.
            **kwargs: Keywords that MMAction2 gives heads, without a meaning here.

        Returns:
            ``(N, K)``; the vector itself where there are no classes.
        """
        return self.fc_cls(self.dropout(x))
