"""Connectors: trained shape adapters between student and teacher features, dropped at export."""

from mmkd_video.connectors.matching import match_layouts, match_positions
from mmkd_video.connectors.projection import ProjectionConnector

__all__ = ['ProjectionConnector', 'match_layouts', 'match_positions']
