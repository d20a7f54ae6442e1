"""Taps: where tensors leave a model, and the layout they leave in."""

from mmkd_video.recognizers.input_form import count_clips
from mmkd_video.taps.layout import to_canonical, to_vector
from mmkd_video.taps.norm_before import norm_before
from mmkd_video.taps.path import TapPath
from mmkd_video.taps.tap_set import Place, TapSet

__all__ = ['Place', 'TapPath', 'TapSet', 'count_clips', 'norm_before', 'to_canonical', 'to_vector']
