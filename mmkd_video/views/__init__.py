"""Views: the frames, stride, size, layout and normalisation in which each model sees a sample."""

from mmkd_video.views.derived import DerivedModality, RGBToContour, RGBToDifference, RGBToFlow
from mmkd_video.views.distill_views import DistillViews
from mmkd_video.views.jitter_levels import JitterLevels
from mmkd_video.views.label_notes import has_label
from mmkd_video.views.multi_view import MultiView
from mmkd_video.views.preprocessor import DistillDataPreprocessor, lay_out
from mmkd_video.views.span_sample import SpanSample

__all__ = [
    'DerivedModality',
    'DistillDataPreprocessor',
    'DistillViews',
    'JitterLevels',
    'MultiView',
    'RGBToContour',
    'RGBToDifference',
    'RGBToFlow',
    'SpanSample',
    'has_label',
    'lay_out',
]
