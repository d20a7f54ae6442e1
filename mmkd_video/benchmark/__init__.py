"""Measurements of callables, modules and files: time side by side, peak memory, sizes, calls."""

from mmkd_video.benchmark.call_counter import CallCounter
from mmkd_video.benchmark.interleaved import Timings, measure_interleaved
from mmkd_video.benchmark.intervals import Interval, median_interval, paired_ratios
from mmkd_video.benchmark.memory import peak_memory
from mmkd_video.benchmark.report import Report, Row
from mmkd_video.benchmark.sizes import file_bytes, tensor_bytes

__all__ = [
    'CallCounter',
    'Interval',
    'Report',
    'Row',
    'Timings',
    'file_bytes',
    'measure_interleaved',
    'median_interval',
    'paired_ratios',
    'peak_memory',
    'tensor_bytes',
]
