"""Embedded clips, mixed lists and samplers."""

from mmkd_video.datasets.motion_set import render_motion_clips

__all__ = ['render_motion_clips']
