"""Video modules that MMAction2 lacks."""

from mmkd_video.models.difference_resnet3d import DifferenceResNet3d
from mmkd_video.models.distilled_head import DistilledHead
from mmkd_video.models.frame_differences import DifferenceMobileNetV2TSM, DifferenceResNetTSM
from mmkd_video.models.mobilenet3d import MobileNet3d
from mmkd_video.models.simkd_head import SimKDHead

__all__ = [
    'DifferenceMobileNetV2TSM',
    'DifferenceResNet3d',
    'DifferenceResNetTSM',
    'DistilledHead',
    'MobileNet3d',
    'SimKDHead',
]
