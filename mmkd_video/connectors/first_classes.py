"""The classes that a teacher of fewer classes knows."""

from torch import Tensor, nn

from mmkd_video.core.checked import Whole, checked
from mmkd_video.core.registry import MODELS


@MODELS.register_module()
@checked(out_channels=Whole(1))
class FirstClassesConnector(nn.Module):
    """Keep the student's scores of the first classes, those that an older student knew.

    With it, any loss of class scores compares a student that has learned more classes since with the student before:
    ``dict(type='KDLoss', at='logits', temperature=2.0, connector=dict(type='FirstClassesConnector'))`` is the
    distillation term of Learning without Forgetting (https://arxiv.org/abs/1606.09282, equation 2). It has no
    parameters.

    Args:
        out_channels: Number of the teacher's classes, which are the student's first ones.
    """

    selects_classes = True  # the only kind of connector that class scores go through

    def __init__(self, out_channels: int) -> None:
        super().__init__()
        self.out_channels = out_channels

    def forward(self, student: Tensor) -> Tensor:
        """Return the first scores.

        Args:
            student: ``(N, K)`` class scores.

        Returns:
            ``(N, out_channels)``.
        """
        return student[:, : self.out_channels]
