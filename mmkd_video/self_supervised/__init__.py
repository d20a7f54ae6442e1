"""Learning without labels: a student and its own moving average, on two views of a clip."""

from mmkd_video.self_supervised.dino import DINOLoss
from mmkd_video.self_supervised.prototype_head import PrototypeHead

__all__ = ['DINOLoss', 'PrototypeHead']
