"""Video modules that MMAction2 lacks."""

from mmkd_video.models.simkd_head import SimKDHead

__all__ = ['SimKDHead']
