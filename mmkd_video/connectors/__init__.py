"""Connectors: trained shape adapters between student and teacher features, dropped at export."""

from mmkd_video.connectors.attention_fusion import AttentionFusionConnector
from mmkd_video.connectors.cross_attention import CrossAttentionConnector
from mmkd_video.connectors.first_classes import FirstClassesConnector
from mmkd_video.connectors.matching import match_layouts, match_positions
from mmkd_video.connectors.mlp import MLPConnector
from mmkd_video.connectors.orthogonal import OrthogonalConnector
from mmkd_video.connectors.projection import ProjectionConnector

__all__ = [
    'AttentionFusionConnector',
    'CrossAttentionConnector',
    'FirstClassesConnector',
    'MLPConnector',
    'OrthogonalConnector',
    'ProjectionConnector',
    'match_layouts',
    'match_positions',
]
