"""Connectors: trained shape adapters between student and teacher features, dropped at export."""

from mmkd_video.connectors.attention_fusion import AttentionFusionConnector
from mmkd_video.connectors.matching import match_layouts, match_positions
from mmkd_video.connectors.projection import ProjectionConnector

__all__ = ['AttentionFusionConnector', 'ProjectionConnector', 'match_layouts', 'match_positions']
