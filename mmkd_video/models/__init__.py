"""Video modules that MMAction2 lacks."""

from mmkd_video.models.mobilenet3d import MobileNet3d
from mmkd_video.models.simkd_head import SimKDHead

__all__ = ['MobileNet3d', 'SimKDHead']
