"""Weightings: how much a term counts, decided from what the terms and the task do."""

from mmkd_video.weightings.balanced import BalancedWeighting
from mmkd_video.weightings.build import build_weighting, is_weighting
from mmkd_video.weightings.weighting import Norms, Weighting, WeightingStep

__all__ = ['BalancedWeighting', 'Norms', 'Weighting', 'WeightingStep', 'build_weighting', 'is_weighting']
