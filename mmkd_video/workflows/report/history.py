"""What a training has logged: scalars over its steps."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmkd_video.core.files.json_lines import read_json_lines
from mmkd_video.core.plain_data import Anything, Table
from mmkd_video.workflows.report.chart import Point

LOGS = '*/vis_data/scalars.json'  # a folder for each start of the training
WEIGHTED, RAW, GRAD, TASK_GRAD = 'loss_', '_raw', '_grad', '_task_grad'
_LINE = Table(Anything(100), most=2000)
_MOST_STEPS = 10**12
Curve = dict[int, float]
"""A scalar by step."""


@dataclass
class History:
    """The scalars of one training.

    Args:
        train: Curves of training by key, over iterations.
        val: Curves of validation by key, over epochs, or over iterations where training has no epochs.
        by_epoch: Whether validation counts epochs.
        task_factor: Factor of the student's own losses in what was logged; None where it is not known.
        problems: Files that could not be read, each with the reason in one line.
    """

    train: dict[str, Curve] = field(default_factory=dict)
    val: dict[str, Curve] = field(default_factory=dict)
    by_epoch: bool = False
    task_factor: float | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def terms(self) -> list[str]:
        """Names of the terms of a distillation."""
        keys = [key.removesuffix(RAW) for key in self.train if key.endswith(RAW)]
        return [name for name in keys if f'{WEIGHTED}{name}' in self.train]

    def task_loss(self) -> Curve:
        """Return the sum of the student's own losses, as they were logged: with their weight."""
        of_terms = {f'{WEIGHTED}{name}' for name in self.terms}
        own = [curve for key, curve in self.train.items() if key.startswith(WEIGHTED) and key not in of_terms]
        if not own:
            return {} if of_terms else self.train.get('loss', {})
        steps = set.intersection(*(set(curve) for curve in own))
        return {step: math.fsum(curve[step] for curve in own) if _finite(own, step) else math.nan for step in steps}

    def plain_task_loss(self) -> Curve:
        """Return the same without their weight, where it is known."""
        factor = self.task_factor or 1.0
        return {step: value / factor for step, value in self.task_loss().items()}


def read_history(run: Path) -> History:
    """Read the logs of a run; each start goes on where the one before had come to, or begins again.

    Args:
        run: Folder of the run.
    """
    found = History()
    for path in sorted(run.glob(LOGS)):
        try:
            lines, wrong = read_json_lines(path, _LINE)
        except OSError as error:
            found.problems.append(f'{path}: cannot be read ({error.strerror})')
            continue
        if wrong:
            found.problems.append(f'{path}: {len(wrong)} lines are no scalars and left out')
        _add(found, lines)
    return found


def _add(history: History, lines: Sequence[Mapping[str, Any]]) -> None:
    """Add the lines of one start, which replace what was logged from its first step on."""
    for target, is_train in ((history.train, True), (history.val, False)):
        chosen = [line for line in lines if _is_step(line.get('step')) and ('iter' in line or 'lr' in line) == is_train]
        first = min((line['step'] for line in chosen), default=None)
        if first is not None:
            for curve in target.values():
                for step in [step for step in curve if step >= first]:
                    del curve[step]
        for line in chosen:
            for key, value in line.items():
                target.setdefault(key, {})[line['step']] = _number(value)
    history.by_epoch |= any('epoch' in line for line in lines)


def points_of(curve: Curve) -> list[Point]:
    """Return a curve as points, from left to right."""
    return [(float(step), curve[step]) for step in sorted(curve)]


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """Return the mean over the steps that all have; where one is not finite, so is the mean.

    Args:
        curves: One for each seed.
    """
    if not curves:
        return {}
    steps = set.intersection(*(set(curve) for curve in curves))
    return {step: sum(curve[step] for curve in curves) / len(curves) for step in steps}


def _finite(curves: Iterable[Curve], step: int) -> bool:
    return all(math.isfinite(curve[step]) for curve in curves)


def _is_step(value: Any) -> bool:
    return type(value) is int and 0 <= value < _MOST_STEPS


def _number(value: Any) -> float:
    """Return a number as a float; what is none, or too large for one, is not a number."""
    if type(value) not in (int, float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan
