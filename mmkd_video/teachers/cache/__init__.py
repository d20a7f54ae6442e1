"""A teacher's answers in files: half precision, checked, read at random."""

from mmkd_video.teachers.cache.manifest import Manifest
from mmkd_video.teachers.cache.reader import CacheReader
from mmkd_video.teachers.cache.writer import CacheWriter, rows_for

__all__ = ['CacheReader', 'CacheWriter', 'Manifest', 'rows_for']
