"""Teachers: where knowledge comes from."""

from mmkd_video.teachers.frozen import FrozenTeacher

__all__ = ['FrozenTeacher']
