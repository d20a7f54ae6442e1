"""Several teachers as one, and how much each of them counts."""

from mmkd_video.teachers.ensemble.best import BestWeighting
from mmkd_video.teachers.ensemble.confidence import ConfidenceWeighting
from mmkd_video.teachers.ensemble.ensemble import TeacherEnsemble
from mmkd_video.teachers.ensemble.entropy import EntropyWeighting
from mmkd_video.teachers.ensemble.gradient import GradientWeighting
from mmkd_video.teachers.ensemble.mean import MeanWeighting
from mmkd_video.teachers.ensemble.weighted import FixedWeighting
from mmkd_video.teachers.ensemble.weighting import MembersStep, MemberWeighting

__all__ = [
    'BestWeighting',
    'ConfidenceWeighting',
    'EntropyWeighting',
    'FixedWeighting',
    'GradientWeighting',
    'MeanWeighting',
    'MemberWeighting',
    'MembersStep',
    'TeacherEnsemble',
]
