"""Teachers: where knowledge comes from."""

from mmkd_video.teachers.build import TEACHERS, build_teachers
from mmkd_video.teachers.frozen import FrozenTeacher

__all__ = ['TEACHERS', 'FrozenTeacher', 'build_teachers']
