"""Weightings: weights of terms, and of clips within a term, that are computed in each step."""

from mmkd_video.weightings.balanced import BalancedWeighting
from mmkd_video.weightings.build import build_weighting, is_weighting
from mmkd_video.weightings.clip_weighting import ClipWeighting
from mmkd_video.weightings.importance import ImportanceWeighting
from mmkd_video.weightings.loss_rate import LossRateWeighting
from mmkd_video.weightings.meta_learned import MetaLearnedWeighting
from mmkd_video.weightings.teacher_confidence import TeacherConfidenceWeighting
from mmkd_video.weightings.teacher_correct import TeacherCorrectWeighting
from mmkd_video.weightings.uncertainty import UncertaintyWeighting
from mmkd_video.weightings.weighting import Norms, Weighting, WeightingStep

__all__ = [
    'BalancedWeighting',
    'ClipWeighting',
    'LossRateWeighting',
    'Norms',
    'ImportanceWeighting',
    'MetaLearnedWeighting',
    'TeacherConfidenceWeighting',
    'TeacherCorrectWeighting',
    'UncertaintyWeighting',
    'Weighting',
    'WeightingStep',
    'build_weighting',
    'is_weighting',
]
