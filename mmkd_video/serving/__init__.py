"""Exported models on videos as they come: files, cameras, network streams."""

from mmkd_video.serving.annotated_video import AnnotatedVideo
from mmkd_video.serving.drift import Drift, DriftWatch, Expected
from mmkd_video.serving.drift_reference import DriftReference
from mmkd_video.serving.engines import build_engine
from mmkd_video.serving.frame_by_frame import FrameByFrame, window_of
from mmkd_video.serving.frame_engine import FrameEngine
from mmkd_video.serving.frame_preparer import FramePreparer
from mmkd_video.serving.frame_reader import FrameReader
from mmkd_video.serving.inference_engine import InferenceEngine
from mmkd_video.serving.opencv_source import OpenCVSource
from mmkd_video.serving.openvino_engine import OpenVINOEngine
from mmkd_video.serving.paced_source import PacedSource
from mmkd_video.serving.prediction import Prediction
from mmkd_video.serving.score_smoother import ScoreSmoother
from mmkd_video.serving.sliding_window import SlidingWindow, Window
from mmkd_video.serving.statistics import StreamStatistics
from mmkd_video.serving.stream import Stream
from mmkd_video.serving.stream_options import StreamOptions
from mmkd_video.serving.submitter import Submitter
from mmkd_video.serving.threads_engine import ThreadsEngine
from mmkd_video.serving.video_source import SourceLostError, VideoSource
from mmkd_video.serving.window_queue import WindowQueue

__all__ = [
    'AnnotatedVideo',
    'Drift',
    'DriftReference',
    'DriftWatch',
    'Expected',
    'FrameByFrame',
    'FrameEngine',
    'FramePreparer',
    'FrameReader',
    'InferenceEngine',
    'OpenCVSource',
    'OpenVINOEngine',
    'PacedSource',
    'Prediction',
    'ScoreSmoother',
    'SlidingWindow',
    'SourceLostError',
    'Stream',
    'StreamOptions',
    'StreamStatistics',
    'Submitter',
    'ThreadsEngine',
    'VideoSource',
    'Window',
    'WindowQueue',
    'build_engine',
    'window_of',
]
