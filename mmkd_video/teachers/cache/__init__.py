"""A teacher's answers in files: half precision, checked, read at random."""

from mmkd_video.teachers.cache.manifest import Manifest, Shard, read_manifest
from mmkd_video.teachers.cache.reader import CacheReader
from mmkd_video.teachers.cache.writer import CacheWriter, rows_for, write_answers

__all__ = ['CacheReader', 'CacheWriter', 'Manifest', 'Shard', 'read_manifest', 'rows_for', 'write_answers']
