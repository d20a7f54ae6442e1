"""Modules that look across the times of a clip."""

from mmkd_video.models.temporal.attention_pool import AttentionPool
from mmkd_video.models.temporal.conv_cell import ConvCell
from mmkd_video.models.temporal.conv_gru import ConvGRU
from mmkd_video.models.temporal.conv_lstm import ConvLSTM
from mmkd_video.models.temporal.conv_recurrent_backbone import ConvRecurrentBackbone
from mmkd_video.models.temporal.conv_recurrent_neck import ConvRecurrentNeck
from mmkd_video.models.temporal.frame_backbone import FrameBackbone
from mmkd_video.models.temporal.frame_transformer import FrameTransformer
from mmkd_video.models.temporal.gem_pool import GeMPool
from mmkd_video.models.temporal.netvlad_pool import NetVLADPool
from mmkd_video.models.temporal.pyramid_pool import SpaceTimePyramidPool
from mmkd_video.models.temporal.recurrent_head import RecurrentHead
from mmkd_video.models.temporal.temporal_neck import TemporalNeck
from mmkd_video.models.temporal.temporal_pool import TemporalPool
from mmkd_video.models.temporal.window_pool import WindowPool

__all__ = [
    'AttentionPool',
    'ConvCell',
    'ConvGRU',
    'ConvLSTM',
    'ConvRecurrentBackbone',
    'ConvRecurrentNeck',
    'FrameBackbone',
    'FrameTransformer',
    'GeMPool',
    'NetVLADPool',
    'RecurrentHead',
    'SpaceTimePyramidPool',
    'TemporalNeck',
    'TemporalPool',
    'WindowPool',
]
