"""Similarity of the frames of a clip."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import temporal_relation
from mmkd_video.losses.base import DistillLoss, in_float32

__all__ = ['TemporalRelationLoss']


@MODELS.register_module()
class TemporalRelationLoss(DistillLoss):
    """Frames that are alike for the teacher are alike for the student; channels may differ.

    ``mean over N, T, T of (cos(s_t, s_u) - cos(t_t, t_u))**2`` of frames averaged over space. Zero for one frame. Ours:
    similarity-preserving distillation (https://arxiv.org/abs/1907.09682) inside a clip instead of inside a batch.
    """

    layouts = ('tokens', 'map')
    averages_clips = True
    clips_only = True
    same_positions = True

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of tokens ``(N, T, C)``, one per frame, or clip maps ``(N, C, T, H, W)``."""
        return temporal_relation(student, teacher)
