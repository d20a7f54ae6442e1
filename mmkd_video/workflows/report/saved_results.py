"""The results that tools have left in their work dirs, read without trust."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmkd_video.benchmark import DeploymentReport
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.plain_data import FLAG, Anything, Many, Maybe, Number, Record, Rule, Table, Text, Whole, read_json
from mmkd_video.workflows.compare.arms import ALONE, AS_LONG, DISTILLED
from mmkd_video.workflows.compare.result import FORMAT, Comparison
from mmkd_video.workflows.measure.saved import DEPLOY, KIND, RANDOM_WEIGHTS

MANY, SEEDS = 100_000, 10_000
NAME, LONG = Text(500), Text(20_000)
VALUE = Number(-1e12, 1e12)
SCORES = Many(Maybe(VALUE), SEEDS)
_ANY = Anything(1_000_000)
_SETTINGS = Table(_ANY, most=1000)
_TEACHER = Record(
    dict(name=NAME, score=VALUE, params=Whole(0, 1 << 50)),
    dict(gflops=Maybe(VALUE), seconds=Maybe(VALUE), cpu_seconds=Maybe(VALUE)),
)
_ROW = Record(
    dict(
        arm=NAME,
        kind=NAME,
        label=LONG,
        settings=_SETTINGS,
        **dict.fromkeys(('scores', 'val', 'agreement', 'seconds', 'cpu_seconds'), SCORES),
    ),
    dict(
        params=Whole(0, 1 << 50),
        gflops=Maybe(VALUE),
        teacher=Maybe(NAME),
        of=Maybe(NAME),
        length=Maybe(NAME),
        device=NAME,
        pairs=Maybe(Many(Maybe(VALUE), MANY)),
        clips=Maybe(Many(VALUE, 10_000_000)),
    ),
)
_SECTION = Record(dict(title=LONG, rows=Many(_ROW, 1000, fewest=1)), dict(in_grid=FLAG))
_TUNED = Record(
    dict(arm=NAME, label=LONG, settings=_SETTINGS, seeds=Many(Whole(0, 1 << 63), SEEDS), val=SCORES), dict(chosen=FLAG)
)
_COMPARISON = Record(
    dict(
        format=Whole(0, 1000),
        configs=Table(LONG, most=100),
        command=LONG,
        metric=NAME,
        seeds=Many(Whole(0, 1 << 63), SEEDS, fewest=1),
        teachers=Many(_TEACHER, 100),
        sections=Many(_SECTION, 10_000, fewest=1),
    ),
    dict(
        grid=Many(LONG, 1000),
        tuning=Many(_TUNED, MANY),
        chance=Maybe(VALUE),
        missing=Many(LONG, MANY),
        trials=Many(_SETTINGS, MANY),
        options=_SETTINGS,
        notes=Many(LONG, 1000),
        findings=_ANY,
    ),
)
_TIMES = Many(Number(1e-12, 1e9), MANY)
_DEPLOYMENT = Record(
    dict(
        model=NAME,
        runtime=NAME,
        threads=Whole(1, 100_000),
        latencies=_TIMES,
        throughputs=_TIMES,
        file_bytes=Whole(0, 1 << 60),
    ),
    dict(
        params=Maybe(Whole(0, 1 << 50)),
        gflops=Maybe(VALUE),
        accuracy=Maybe(Number(0, 1)),
        memory=Maybe(Whole(-(1 << 60), 1 << 60)),
        **dict.fromkeys(('side_by_side', 'cpu', 'two'), _TIMES),
        of=Maybe(NAME),
        speedup=Maybe(VALUE),
    ),
)
_DEPLOYMENTS = Record(
    dict(title=LONG, facts=Table(LONG, most=100), deployments=Many(_DEPLOYMENT, 10_000, fewest=1)),
    {'targets': _ANY, KIND: NAME},
)


def read_comparison(path: Path) -> Comparison:
    """Read the results of a comparison.

    Args:
        path: The file ``compare.json``.

    Raises:
        OSError: It cannot be read.
        ValueError: It is damaged, or of another format.
    """
    saved = _read(path, _AnyOf(_COMPARISON))
    comparison = Comparison.from_dict(saved)
    for section in comparison.sections:
        for row in section.rows:
            _expect_fitting(row.scores, len(comparison.seeds), f'{path}: {row.arm}.scores')
            if row.kind not in (ALONE, DISTILLED, AS_LONG):
                raise WrongValueError(f'{path}: {row.arm}: got the kind {row.kind!r}, expected {ALONE!r} or others')
        for key in ('pairs', 'clips'):
            lengths = {len(found) for row in section.rows if (found := getattr(row, key)) is not None}
            if len(lengths) > 1:
                raise WrongValueError(f'{path}: got {key} of different lengths in {section.title!r}')
    return comparison


def read_deployments(path: Path) -> DeploymentReport | None:
    """Read the measurements of models in runtimes; None where the file holds those of another kind.

    Args:
        path: The file ``deploy.json``.

    Raises:
        OSError: It cannot be read.
        ValueError: It is damaged.
    """
    saved = _read(path, Table(_ANY, most=100))
    if saved.get(KIND, DEPLOY) not in (DEPLOY, RANDOM_WEIGHTS):
        return None
    _DEPLOYMENTS.check(saved, str(path))
    return DeploymentReport.from_dict(dict(saved, targets=[]))


def tried(read: Callable[[Path], Any], path: Path, problems: list[str]) -> Any:
    """Return what is in a file; None where it is not there or, with a line more among the problems, damaged.

    Args:
        read: Function that reads it.
        path: Path of the file.
        problems: List that gets the line.
    """
    try:
        return read(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        problems.append(f'{path}: cannot be read ({error.strerror})')
    except ValueError as error:
        told = str(error)
        problems.append(told if str(path) in told else f'{path}: {told}')
    return None


class _AnyOf:
    """The rule of this format; a file of another one is told by who reads it."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule

    def check(self, value: Any, where: str) -> None:
        """See :class:`Rule`."""
        if not isinstance(value, dict) or value.get('format') == FORMAT:
            self._rule.check(value, where)


def _read(path: Path, rule: Rule) -> Mapping:
    with open(path, 'rb') as file:
        return read_json(file.read((1 << 26) + 1), rule, str(path), longest=1 << 26)


def _expect_fitting(scores: list, count: int, where: str) -> None:
    if len(scores) != count:
        raise WrongValueError(f'{where}: got {len(scores)} scores, expected one for each of {count} seeds')
