"""Directions of features."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import cosine
from mmkd_video.losses.base import DistillLoss, in_float32

__all__ = ['CosineLoss']


@MODELS.register_module()
class CosineLoss(DistillLoss):
    """Cosine distance: features point the same way, whatever their lengths.

    ``mean (2 - 2 * cos(s, t))`` over samples and positions, the cosine between the vectors of channels at one position:
    0 for equal directions, 4 for opposite ones. It is the squared distance of both vectors at length 1; where one of
    them is zero it is 1. A vector shorter than a thousandth of the batch's mean has the gradient of one of that length.
    Source: https://arxiv.org/abs/2006.07733 (equation 2); UMT and InternVideo2 align tokens by it, code
    OpenGVLab/unmasked_teacher ``single_modality/engines/engine_for_pretraining_umt.py``.
    """

    layouts = ('vector', 'tokens', 'map')
    averages_clips = True
    same_channels = True
    same_positions = True

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of vectors ``(N, C)``, tokens ``(N, L, C)`` or maps ``(N, C, [T,] H, W)``."""
        return cosine(student, teacher)
