"""Teachers: where knowledge comes from."""

from mmkd_video.teachers.build import TEACHERS, build_teachers
from mmkd_video.teachers.cached import CachedTeacher
from mmkd_video.teachers.ensemble import MembersStep, MemberWeighting, TeacherEnsemble
from mmkd_video.teachers.frozen import FrozenTeacher
from mmkd_video.teachers.teacher import Probe, Teacher, TeachingStep

__all__ = [
    'TEACHERS',
    'CachedTeacher',
    'FrozenTeacher',
    'MemberWeighting',
    'MembersStep',
    'Probe',
    'Teacher',
    'TeacherEnsemble',
    'TeachingStep',
    'build_teachers',
]
