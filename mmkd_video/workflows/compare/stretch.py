"""The length of training of the student alone in the time that a distilled one takes."""

import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.plain_data import Number, Record, Table, Whole, read_json
from mmkd_video.workflows.compare.arms import Arm

FIXED = 'as_long.json'
_LENGTHS = Table(Record(dict(ratio=Number(0, 1e9), length=Whole(1, 10**9))), most=1000)


def cost_ratio(alone: Sequence[dict | None], distilled: Sequence[dict | None]) -> float | None:
    """Return the median over seeds of the distilled arm's cost over that of the student alone; None where not measured.

    On a CPU the cost is CPU seconds, which other load on the machine hardly changes; elsewhere the wall clock.

    Args:
        alone: Results, seed by seed; None for those that are missing.
        distilled: The same of the distilled arm.
    """
    ratios = []
    for before, after in zip(alone, distilled, strict=True):
        if before is None or after is None:
            continue
        key = 'cpu_seconds' if after.get('device') == 'cpu' else 'seconds'
        if before.get(key) and after.get(key):
            ratios.append(after[key] / before[key])
    return statistics.median(ratios) if ratios else None


def fixed_length(
    work_dir: Path, arm: Arm, length: int, alone: Sequence[dict | None], distilled: Sequence[dict | None]
) -> int | None:
    """Return the epochs (or iterations) that a distilled arm's time buys the student alone, rounded up.

    What was once found stays: further seeds train as long as those before.

    Args:
        work_dir: Work dir of the comparison, where the number is kept.
        arm: The distilled arm.
        length: Length of the student alone as shipped.
        alone: Results of its runs.
        distilled: Results of the distilled arm's.

    Raises:
        ValueError: The file that keeps it is damaged.
    """
    path = work_dir / FIXED
    known = _saved_lengths(path)
    if arm.folder in known:
        return known[arm.folder]['length']
    ratio = cost_ratio(alone, distilled)
    if ratio is None:
        return None
    known[arm.folder] = dict(ratio=ratio, length=max(length, math.ceil(length * ratio - 1e-6)))
    write_atomically(json.dumps(known, indent=1).encode(), path)
    return known[arm.folder]['length']


def _saved_lengths(path: Path) -> dict:
    if not path.is_file():
        return {}
    try:
        return read_json(path.read_bytes(), _LENGTHS, str(path))
    except ValueError as error:
        raise WrongValueError(f'{error}; put back the file, or delete it to find the lengths anew') from None
