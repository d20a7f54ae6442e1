"""Schedules: scalars over training."""

from mmkd_video.schedules.anneal import AnnealSchedule
from mmkd_video.schedules.cosine import CosineSchedule
from mmkd_video.schedules.learned import LearnedScalar
from mmkd_video.schedules.linear import LinearSchedule
from mmkd_video.schedules.logistic import LogisticSchedule
from mmkd_video.schedules.scalar import Scalar, is_schedule
from mmkd_video.schedules.schedule import Progress, Schedule
from mmkd_video.schedules.step import StepSchedule
from mmkd_video.schedules.warmup import WarmupSchedule

__all__ = [
    'AnnealSchedule',
    'CosineSchedule',
    'LearnedScalar',
    'LinearSchedule',
    'LogisticSchedule',
    'Progress',
    'Scalar',
    'Schedule',
    'StepSchedule',
    'WarmupSchedule',
    'is_schedule',
]
