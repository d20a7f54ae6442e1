"""Weightings: weights of terms that follow from the losses and gradients of terms and task."""

from mmkd_video.weightings.balanced import BalancedWeighting
from mmkd_video.weightings.build import build_weighting, is_weighting
from mmkd_video.weightings.uncertainty import UncertaintyWeighting
from mmkd_video.weightings.weighting import Norms, Weighting, WeightingStep

__all__ = [
    'BalancedWeighting',
    'Norms',
    'UncertaintyWeighting',
    'Weighting',
    'WeightingStep',
    'build_weighting',
    'is_weighting',
]
