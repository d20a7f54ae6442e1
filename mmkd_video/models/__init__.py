"""Video modules that MMAction2 lacks."""

from mmkd_video.models.difference_resnet3d import DifferenceResNet3d
from mmkd_video.models.mobilenet3d import MobileNet3d
from mmkd_video.models.simkd_head import SimKDHead

__all__ = ['DifferenceResNet3d', 'MobileNet3d', 'SimKDHead']
