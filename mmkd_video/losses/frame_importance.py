"""Imitation weighted by frames."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import frame_importance
from mmkd_video.losses.base import DistillLoss, in_float32, positive

__all__ = ['FrameImportanceLoss']


@MODELS.register_module()
class FrameImportanceLoss(DistillLoss):
    """Mean squared error in which frames count as much as the teacher is active in them.

    The weights are ``T * softmax(energy / temperature)`` over the frames of a clip, of the teacher's energy with zero
    mean and unit deviation; their mean is 1, so one frame gives :class:`FitNetLoss`. Ours.

    Args:
        temperature: Positive number; large values weigh all frames alike.

    Raises:
        ValueError: ``temperature`` is not above 0.
    """

    layouts = ('tokens', 'map')
    averages_clips = True
    clips_only = True
    same_channels = True
    same_positions = True

    def __init__(self, temperature: float = 1.0) -> None:
        super().__init__()
        self.temperature = positive('temperature', temperature)

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of tokens ``(N, T, C)``, one per frame, or clip maps ``(N, C, T, H, W)``."""
        return frame_importance(student, teacher, self.temperature)
