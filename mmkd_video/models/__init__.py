"""Video modules that MMAction2 lacks."""

from mmkd_video.models.difference_resnet3d import DifferenceResNet3d
from mmkd_video.models.distilled_head import DistilledHead
from mmkd_video.models.frame_differences import DifferenceMobileNetV2TSM, DifferenceResNetTSM
from mmkd_video.models.mobilenet3d import MobileNet3d
from mmkd_video.models.module_backbone import ModuleBackbone
from mmkd_video.models.multi_view import (
    MultiViewBackbone,
    MultiViewDataPreprocessor,
    MultiViewRecognizer,
    ViewFusion,
    ViewPresence,
    ViewPyramid,
    ViewTransformer,
)
from mmkd_video.models.scores_head import ScoresHead
from mmkd_video.models.simkd_head import SimKDHead
from mmkd_video.models.temporal import (
    AttentionPool,
    ConvCell,
    ConvGRU,
    ConvLSTM,
    ConvRecurrentBackbone,
    ConvRecurrentNeck,
    FrameBackbone,
    FrameTransformer,
    GeMPool,
    NetVLADPool,
    RecurrentHead,
    SpaceTimePyramidPool,
    TemporalNeck,
    TemporalPool,
    WindowPool,
)
from mmkd_video.models.temporal_shift import TemporalShiftBackbone
from mmkd_video.models.timm_backbone import TimmBackbone
from mmkd_video.models.timm_preprocessor import TimmPreprocessor
from mmkd_video.models.transformers_backbone import TransformersBackbone
from mmkd_video.models.transformers_head import TransformersHead
from mmkd_video.models.vision_backbone import VisionBackbone

__all__ = [
    'AttentionPool',
    'ConvCell',
    'ConvGRU',
    'ConvLSTM',
    'ConvRecurrentBackbone',
    'ConvRecurrentNeck',
    'DifferenceMobileNetV2TSM',
    'DifferenceResNet3d',
    'DifferenceResNetTSM',
    'DistilledHead',
    'FrameBackbone',
    'FrameTransformer',
    'GeMPool',
    'MobileNet3d',
    'ModuleBackbone',
    'MultiViewBackbone',
    'MultiViewDataPreprocessor',
    'MultiViewRecognizer',
    'NetVLADPool',
    'RecurrentHead',
    'ScoresHead',
    'SimKDHead',
    'SpaceTimePyramidPool',
    'TemporalNeck',
    'TemporalPool',
    'TemporalShiftBackbone',
    'TimmBackbone',
    'TimmPreprocessor',
    'TransformersBackbone',
    'TransformersHead',
    'ViewFusion',
    'ViewPresence',
    'ViewPyramid',
    'ViewTransformer',
    'VisionBackbone',
    'WindowPool',
]
