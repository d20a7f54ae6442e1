"""A recognizer that sees several views of one sample at once."""

from mmkd_video.models.multi_view.backbone import MultiViewBackbone
from mmkd_video.models.multi_view.fusion import ViewFusion
from mmkd_video.models.multi_view.preprocessor import MultiViewDataPreprocessor
from mmkd_video.models.multi_view.presence import ViewPresence
from mmkd_video.models.multi_view.pyramid import ViewPyramid
from mmkd_video.models.multi_view.recognizer import MultiViewRecognizer
from mmkd_video.models.multi_view.transformer import ViewTransformer

__all__ = [
    'MultiViewBackbone',
    'MultiViewDataPreprocessor',
    'MultiViewRecognizer',
    'ViewFusion',
    'ViewPresence',
    'ViewPyramid',
    'ViewTransformer',
]
