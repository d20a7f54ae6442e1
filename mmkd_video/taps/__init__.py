"""Taps: where tensors leave a model, and the layout they leave in."""

from mmkd_video.recognizers.input_form import count_clips
from mmkd_video.taps.feature_reader import FeatureReader
from mmkd_video.taps.layout import to_canonical, to_vector
from mmkd_video.taps.norm_before import norm_before
from mmkd_video.taps.path import TapPath, parse_pair
from mmkd_video.taps.tap_set import Place, TapSet

__all__ = [
    'FeatureReader',
    'Place',
    'TapPath',
    'TapSet',
    'count_clips',
    'norm_before',
    'parse_pair',
    'to_canonical',
    'to_vector',
]
