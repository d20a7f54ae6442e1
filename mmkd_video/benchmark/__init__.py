"""Measurements of callables, modules and files: time side by side, peak memory, sizes, calls."""

from mmkd_video.benchmark.call_counter import CallCounter
from mmkd_video.benchmark.deployment import Deployment
from mmkd_video.benchmark.deployment_report import DeploymentReport
from mmkd_video.benchmark.interleaved import Rounds, Timings, measure_interleaved
from mmkd_video.benchmark.intervals import Interval, median_interval, paired_ratios
from mmkd_video.benchmark.load_watch import LoadWatch
from mmkd_video.benchmark.memory import peak_memory, restart_peak
from mmkd_video.benchmark.picture import draw_deployments
from mmkd_video.benchmark.processor import describe_processor
from mmkd_video.benchmark.report import Report, Row
from mmkd_video.benchmark.side_by_side import SideBySide
from mmkd_video.benchmark.sizes import file_bytes, tensor_bytes

__all__ = [
    'CallCounter',
    'Deployment',
    'DeploymentReport',
    'Interval',
    'LoadWatch',
    'Report',
    'Rounds',
    'Row',
    'SideBySide',
    'Timings',
    'draw_deployments',
    'file_bytes',
    'measure_interleaved',
    'median_interval',
    'paired_ratios',
    'peak_memory',
    'describe_processor',
    'restart_peak',
    'tensor_bytes',
]
