"""Distillers: the order of one training step."""

from mmkd_video.distillers.distiller import Distiller

__all__ = ['Distiller']
