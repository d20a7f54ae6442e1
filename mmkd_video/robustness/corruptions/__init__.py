"""Corruptions: what spoils a video on its way to a recognizer."""

from mmkd_video.robustness.corruptions.corruption import SEVERITIES, Corruption, corruptions
from mmkd_video.robustness.corruptions.defocus_blur import DefocusBlur
from mmkd_video.robustness.corruptions.dropped_frames import DroppedFrames
from mmkd_video.robustness.corruptions.frame_rate_change import FrameRateChange
from mmkd_video.robustness.corruptions.gaussian_noise import GaussianNoise
from mmkd_video.robustness.corruptions.low_light import LowLight
from mmkd_video.robustness.corruptions.low_resolution import LowResolution
from mmkd_video.robustness.corruptions.motion_blur import MotionBlur
from mmkd_video.robustness.corruptions.occlusion import Occlusion
from mmkd_video.robustness.corruptions.random_corruption import RandomCorruption
from mmkd_video.robustness.corruptions.repeated_frames import RepeatedFrames
from mmkd_video.robustness.corruptions.shot_noise import ShotNoise
from mmkd_video.robustness.corruptions.video_compression import VideoCompression

__all__ = [
    'SEVERITIES',
    'Corruption',
    'DefocusBlur',
    'DroppedFrames',
    'FrameRateChange',
    'GaussianNoise',
    'LowLight',
    'LowResolution',
    'MotionBlur',
    'Occlusion',
    'RandomCorruption',
    'RepeatedFrames',
    'ShotNoise',
    'VideoCompression',
    'corruptions',
]
