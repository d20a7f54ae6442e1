"""Video modules that MMAction2 lacks."""

from mmkd_video.models.attentive_probe import AttentiveProbe
from mmkd_video.models.difference_resnet3d import DifferenceResNet3d
from mmkd_video.models.distilled_head import DistilledHead
from mmkd_video.models.embedding_head import EmbeddingHead
from mmkd_video.models.frame_differences import DifferenceMobileNetV2TSM, DifferenceResNetTSM
from mmkd_video.models.frame_head import FrameHead
from mmkd_video.models.linear_probe import LinearProbe
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
from mmkd_video.models.streaming import MoViNet, MoViNetHead, OnlineMobileNetV2TSM, OnlineResNetTSM, OnlineTSMHead
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
from mmkd_video.models.video_prompt_backbone import VideoPromptBackbone
from mmkd_video.models.video_text_head import VideoTextHead
from mmkd_video.models.vision_backbone import VisionBackbone
from mmkd_video.models.zero_shot_backbone import ZeroShotBackbone

__all__ = [
    'AttentiveProbe',
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
    'EmbeddingHead',
    'FrameHead',
    'LinearProbe',
    'FrameBackbone',
    'FrameTransformer',
    'GeMPool',
    'MobileNet3d',
    'MoViNet',
    'MoViNetHead',
    'ModuleBackbone',
    'MultiViewBackbone',
    'MultiViewDataPreprocessor',
    'MultiViewRecognizer',
    'OnlineMobileNetV2TSM',
    'OnlineResNetTSM',
    'OnlineTSMHead',
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
    'VideoPromptBackbone',
    'VideoTextHead',
    'ViewFusion',
    'ViewPresence',
    'ViewPyramid',
    'ViewTransformer',
    'VisionBackbone',
    'ZeroShotBackbone',
    'WindowPool',
]
