"""What a benchmark leaves behind: all its numbers in one file."""

import json
from pathlib import Path

from mmkd_video.benchmark import DeploymentReport, Report
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.workflows.measure.loss_costs import LossCosts

STEP, LOSSES, STREAM, DEPLOY, RANDOM_WEIGHTS = 'step', 'losses', 'stream', 'deploy', 'random weights'
DECODE, SCALING, VIEWS, CACHE, TEACHERS, FROZEN = 'decode', 'scaling', 'views', 'cache', 'teachers', 'frozen'
KIND = 'benchmark'
"""The key that says what kind of benchmark the numbers of a file are of."""


def save_report(report: Report | LossCosts | DeploymentReport, path: str | Path, kind: str, command: str) -> None:
    """Write all numbers of a benchmark; the report says then what measures it again.

    Args:
        report: Report of the run; its facts get the command.
        path: Path of the JSON file.
        kind: ``'step'``, ``'losses'``, ``'stream'``, ``'deploy'``, ``'decode'``, ``'scaling'``, ``'views'``,
            ``'cache'``, ``'teachers'``, ``'frozen'`` or ``'random weights'``.
        command: Command line that measures the same again.

    Raises:
        OSError: The file cannot be written.
    """
    report.facts['command'] = f'`{command}`'
    write_atomically((json.dumps({KIND: kind, **report.as_dict()}, indent=1) + '\n').encode(), path)
