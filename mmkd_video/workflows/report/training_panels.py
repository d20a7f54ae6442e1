"""How the trainings went: losses, validation, terms and their gradients, agreement with the teacher."""

import math
from collections.abc import Callable, Sequence
from itertools import count

from mmkd_video.workflows.report.chart import GOAL, MEAN, SEED, Axis, Chart, Dots, Line
from mmkd_video.workflows.report.folder import TrainedRun, WorkDir
from mmkd_video.workflows.report.history import GRAD, RAW, TASK_GRAD, WEIGHTED, Curve, History, mean_curve, points_of
from mmkd_video.workflows.report.looks import Arm
from mmkd_video.workflows.report.markup import joined
from mmkd_video.workflows.report.panel import Panel, line_entries, paragraph
from mmkd_video.workflows.report.summary_panel import scale_of

TERMS = 8  # at most, in one panel
FEW = 12  # points of a mean, up to which each is a dot
AGREEMENT, TEACHER = 'agreement', 'teacher'
_NO_LOGS = 'no run has a log (<start>/vis_data/scalars.json).'
Choice = Callable[[History], Curve]


def training(work: WorkDir, arms: Sequence[Arm]) -> Panel:
    """Return the panel of losses and validation.

    Args:
        work: Work dir.
        arms: Its arms with their looks.
    """
    if not any(run.history.train or run.history.val for run in work.runs):
        return Panel('Training', missing=_NO_LOGS)
    metric = work.comparison.metric if work.comparison else _metric(work)
    is_known = all(run.history.task_factor is not None for run in work.runs)
    weighted = 'before their weight' if is_known else 'after their weight, which differs between arms'
    charts = [
        _chart(
            work,
            arms,
            History.plain_task_loss,
            'train-loss',
            'Loss on the labels',
            f"The student's own losses on training clips, {weighted}, without the terms of distillation (nats where "
            'it is cross-entropy)',
            'loss',
        )
    ]
    if metric is not None:
        factor, unit, _ = scale_of(metric)
        charts.append(
            _chart(
                work,
                arms,
                lambda history: _times(history.val.get(metric, {}), factor),
                'validation',
                'Validation',
                f'{metric} on validation clips{unit}',
                f'{metric}{unit}',
                on_val=True,
            )
        )
    charts = [chart for chart in charts if not chart.is_empty()]
    return Panel('Training', charts=charts) if charts else Panel('Training', missing=_NO_LOGS)


def terms(work: WorkDir, arms: Sequence[Arm]) -> Panel:
    """Return the panel of the terms of distillation: raw, weighted, and the norms of their gradients.

    Args:
        work: Work dir.
        arms: Its arms with their looks.
    """
    names = list(dict.fromkeys(name for run in work.runs for name in run.history.terms))
    if not names:
        return Panel('Terms of distillation', missing='no run has logged a term.')
    taught = [arm for arm in arms if any(run.history.terms for run in work.runs_of(arm.name))]
    charts = []
    for number, name in zip(count(1), names[:TERMS]):
        charts += [
            _chart(
                work,
                taught,
                lambda history, name=name: history.train.get(f'{name}{RAW}', {}),
                f'term-{number}-raw',
                f'{name}: raw',
                f'The term {name} before its weight, on training clips',
                f'{name}, raw',
            ),
            _against_task(
                work,
                taught,
                (f'{WEIGHTED}{name}', None),
                f'term-{number}-weighted',
                f'{name}: weighted',
                f"What the term {name} adds to the loss, after its weight; dashed: the student's own losses (mean)",
                'loss, weighted',
            ),
            _against_task(
                work,
                taught,
                (f'{name}{GRAD}', f'{name}{TASK_GRAD}'),
                f'term-{number}-gradients',
                f'{name}: gradients',
                f'Norm of the gradient of the weighted term {name} where it reads the student; dashed: of the '
                "student's own losses at the same place (mean)",
                'norm of the gradient',
            ),
        ]
    rest = f'{len(names) - TERMS} more terms are not drawn.' if len(names) > TERMS else None
    notes = [paragraph(rest)] if rest else []
    return Panel('Terms of distillation', charts=[each for each in charts if not each.is_empty()], rest=joined(notes))


def agreement(work: WorkDir, arms: Sequence[Arm]) -> Panel:
    """Return the panel of the agreement with the teacher over time.

    Args:
        work: Work dir.
        arms: Its arms with their looks.
    """
    keys = [key for run in work.runs for key in run.history.val if key.startswith(f'{AGREEMENT}/')]
    names = list(dict.fromkeys(key for key in keys if key.endswith('/top1')))
    if not names:
        return Panel(
            'Agreement with the teacher',
            missing='no run has logged it; TeacherPredictionsHook, which the base config sets, does so at validation.',
        )
    charts = []
    for number, key in zip(count(1), names[:TERMS]):
        teacher = key.removeprefix(f'{AGREEMENT}/').removesuffix('top1').rstrip('/')
        of = f' ({teacher})' if teacher else ''
        divergence = key.removesuffix('top1') + 'kl'
        charts += [
            _chart(
                work,
                arms,
                lambda history, key=key: _times(history.val.get(key, {}), 100),
                f'agreement-{number}',
                f'Same answer as the teacher{of}',
                f'Validation clips to which student and teacher{of} give one answer, %; the teacher sees them only in '
                'runs that distil',
                'agreement, %',
                on_val=True,
            ),
            _chart(
                work,
                arms,
                lambda history, key=divergence: history.val.get(key, {}),
                f'divergence-{number}',
                f'Distance from the teacher{of}',
                "Mean KL divergence of the student's probabilities from the teacher's, on validation clips, nats; "
                'lower is closer',
                'KL, nats',
                on_val=True,
            ),
        ]
    return Panel('Agreement with the teacher', charts=[chart for chart in charts if not chart.is_empty()])


def _metric(work: WorkDir) -> str | None:
    """Return the metric that a training without a comparison is judged by."""
    keys = [key for run in work.runs for key in run.history.val]
    return next((key for key in ('acc/top1', *keys) if key in keys and key.startswith('acc/')), None)


def _chart(
    work: WorkDir,
    arms: Sequence[Arm],
    choose: Choice,
    name: str,
    title: str,
    what: str,
    label: str,
    on_val: bool = False,
) -> Chart:
    """Return curves of all runs, and of the mean of each arm.

    Args:
        work: Work dir.
        arms: Arms to draw.
        choose: Function that takes the curve out of what a run has logged.
        name: Name of the chart.
        title: Heading.
        what: Beginning of the caption: what is shown, in which unit.
        label: Label of the axis.
        on_val: Whether it is of validation, over epochs.
    """
    lines, dots, shown, runs = [], [], [], []
    for arm in arms:
        curves = [curve for run in work.runs_of(arm.name) if (curve := choose(run.history))]
        if curves:
            lines += _arm_lines(curves, arm)
            dots += [Dots(lines[-1].points, arm.look, arm.shape)] if len(lines[-1].points) <= FEW else []
            shown.append(arm)
            runs.append(f'{arm.short} {len(curves)}')
    teacher = _teacher_line(work, shown) if name == 'validation' and label.startswith('acc/top1') else None
    lines = [*([teacher] if teacher else []), *_means_last(lines)]
    what = f'{what}. {_runs(runs)}{"; dashed: the teacher on the same clips" if teacher else ""}.'
    return Chart(name, title, what, _time(work, on_val), Axis(label), lines, dots, line_entries(shown, bool(teacher)))


def _against_task(
    work: WorkDir,
    arms: Sequence[Arm],
    keys: tuple[str, str | None],
    name: str,
    title: str,
    what: str,
    label: str,
) -> Chart:
    """Return curves of a term, with the mean of the student's own losses dashed.

    Args:
        work: Work dir.
        arms: Arms to draw.
        keys: Key of the term, and of what it is held against; None: the student's own losses themselves.
        name: Name of the chart.
        title: Heading.
        what: Beginning of the caption.
        label: Label of the axis.
    """
    key, other = keys
    chart = _chart(work, arms, lambda history: history.train.get(key, {}), name, title, what, label)
    lines, entries = list(chart.lines), []
    for arm in arms:
        histories = [run.history for run in work.runs_of(arm.name) if run.history.train.get(key)]
        theirs = [each.task_loss() if other is None else each.train.get(other, {}) for each in histories]
        mean = mean_curve([curve for curve in theirs if curve])
        if mean:
            lines.append(Line(points_of(mean), arm.look, GOAL))
            entries.append((f'own losses of {arm.short}', arm.look, 'dashed'))
    return Chart(name, title, chart.caption, chart.x, chart.y, lines, chart.dots, [*chart.legend, *entries])


def _arm_lines(curves: Sequence[Curve], arm: Arm) -> list[Line]:
    if len(curves) == 1:
        return [Line(points_of(curves[0]), arm.look, MEAN)]
    thin = [Line(points_of(curve), arm.look, SEED) for curve in curves]
    return [*thin, Line(points_of(mean_curve(curves)), arm.look, MEAN)]


def _means_last(lines: Sequence[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: line.kind == MEAN)


def _teacher_line(work: WorkDir, arms: Sequence[Arm]) -> Line | None:
    """Return the teacher's accuracy on validation, which does not change."""
    runs: list[TrainedRun] = [run for arm in arms for run in work.runs_of(arm.name)]
    for run in runs:
        known = [value for value in run.history.val.get(f'{TEACHER}/top1', {}).values() if math.isfinite(value)]
        if known:
            steps = [step for each in runs for step in each.history.val.get('acc/top1', {})]
            ends = (min(steps), max(steps)) if steps else (0, 1)
            return Line([(float(end), 100 * known[-1]) for end in ends], TEACHER, GOAL)
    return None


def _time(work: WorkDir, on_val: bool) -> Axis:
    return Axis('epoch' if on_val and any(run.history.by_epoch for run in work.runs) else 'iteration', is_whole=True)


def _runs(runs: Sequence[str]) -> str:
    if not runs:
        return 'No run has logged it'
    several = any(not each.endswith(' 1') for each in runs)
    return f'Runs: {", ".join(runs)}{"; thin: one seed, thick: the mean" if several else ""}'


def _times(curve: Curve, factor: float) -> Curve:
    return {step: factor * value for step, value in curve.items()}
