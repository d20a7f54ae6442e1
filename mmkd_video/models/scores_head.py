"""The head of a model that has its own."""

from typing import Any

from mmaction.models.heads import BaseHead
from torch import Tensor, nn

from mmkd_video.core.checked import Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS


@MODELS.register_module()
@checked(num_classes=Whole(0))
class ScoresHead(BaseHead):
    """Hand on class scores that a backbone has computed itself; or its vector, which the tap ``pooled`` then reads.

    Args:
        num_classes: Number K of classes; 0 where what comes in is a vector and no scores.
        **kwargs: ``average_clips`` and what else MMAction2's ``BaseHead`` takes.
    """

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(num_classes, in_channels=num_classes or 1, **kwargs)
        self.dropout = nn.Identity() if num_classes else nn.Dropout(0.0)

    def forward(self, x: Tensor, **kwargs: Any) -> Tensor:
        """Return what comes in.

        Args:
            x: ``(N, K)``, or ``(N, C)`` where there are no classes.
            **kwargs: Keywords that MMAction2 gives heads, without a meaning here.

        Raises:
            ValueError: The scores are not of as many classes.
        """
        if self.num_classes and x.shape[-1] != self.num_classes:
            raise WrongValueError(f'got scores of {x.shape[-1]} classes; expected num_classes={self.num_classes}')
        return self.dropout(x)
