"""Teachers: where knowledge comes from."""

from mmkd_video.teachers.blockwise import BlockTeacher
from mmkd_video.teachers.build import TEACHERS, build_teachers
from mmkd_video.teachers.cached import CachedTeacher
from mmkd_video.teachers.ema import EMATeacher
from mmkd_video.teachers.ensemble import MembersStep, MemberWeighting, TeacherEnsemble
from mmkd_video.teachers.frozen import FrozenTeacher
from mmkd_video.teachers.itself import SelfTeacher
from mmkd_video.teachers.meta import MetaTeacher
from mmkd_video.teachers.peer import PeerTeacher
from mmkd_video.teachers.probed import ProbedTeacher
from mmkd_video.teachers.teacher import Probe, Teacher, TeachingStep

__all__ = [
    'TEACHERS',
    'BlockTeacher',
    'CachedTeacher',
    'EMATeacher',
    'FrozenTeacher',
    'MemberWeighting',
    'MembersStep',
    'MetaTeacher',
    'PeerTeacher',
    'Probe',
    'ProbedTeacher',
    'SelfTeacher',
    'Teacher',
    'TeacherEnsemble',
    'TeachingStep',
    'build_teachers',
]
