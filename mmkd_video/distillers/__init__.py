"""Distillers: the order of one training step."""

from mmkd_video.distillers.adversarial_training import AdversarialTraining
from mmkd_video.distillers.distiller import Distiller

__all__ = ['AdversarialTraining', 'Distiller']
