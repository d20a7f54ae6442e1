"""Masks: what tokens a student sees in a training step, and how the others are left out."""

from mmkd_video.masking.attention_mask import AttentionMask
from mmkd_video.masking.random_mask import RandomMask
from mmkd_video.masking.token_dropper import TokenDropper
from mmkd_video.masking.token_mask import TokenMask, build_mask, draw_rows
from mmkd_video.masking.tube_mask import TubeMask

__all__ = ['AttentionMask', 'RandomMask', 'TokenDropper', 'TokenMask', 'TubeMask', 'build_mask', 'draw_rows']
