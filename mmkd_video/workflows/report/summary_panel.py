"""The outcome first: every seed, the mean with its interval, the worst seed, wins."""

import math
from collections.abc import Sequence

from mmkd_video.workflows.compare.result import Comparison, Row, Section, gain_of, mean_of
from mmkd_video.workflows.compare.table import (
    NOT_SHOWN,
    gain_cells,
    grid_cells,
    grid_sentences,
    note,
    score_cells,
    tuning_cells,
)
from mmkd_video.workflows.report.chart import GOAL, GUIDE, SEED, Axis, Chart, Dots, Line
from mmkd_video.workflows.report.looks import Arm
from mmkd_video.workflows.report.markup import Markup, element, joined, table
from mmkd_video.workflows.report.panel import Panel, counted, paragraph

SPREAD = 0.16  # of the dots of one arm, to both sides


def summary(comparison: Comparison, arms: Sequence[Arm]) -> Panel:
    """Return the panel of a comparison's outcome.

    Args:
        comparison: The comparison.
        arms: Its arms with their looks.
    """
    section = comparison.sections[0]
    lead = [_tiles(comparison, section, row) for row in section.distilled]
    charts = [_scores(comparison, section, arms)]
    gains = _gains(comparison, section, arms)
    charts += [gains] if gains is not None else []
    return Panel('Outcome', joined(lead), charts, joined(_tables(comparison)))


def scale_of(metric: str) -> tuple[float, str, str]:
    """Return factor and unit in which a metric is shown, and the unit of its differences."""
    return (100.0, ', %', ', points') if metric.startswith(('acc/', 'report/')) else (1.0, '', '')


def _tables(comparison: Comparison) -> list[Markup]:
    """Return the tables of the comparison, as its own document has them."""
    found, points = [], [section for section in comparison.sections if section.in_grid]
    for section in comparison.sections:
        if not section.in_grid:
            found += [element('h4', section.title)] if len(comparison.sections) > 1 else []
            found += [table(score_cells(comparison, section)), table(gain_cells(comparison, section))]
    if points:
        found += [element('h4', 'Every point of the grid'), table(grid_cells(comparison, points), left=2)]
        found += [paragraph(text) for text in grid_sentences(comparison, points)]
    if comparison.tuning:
        found += [element('h4', 'Tuned on validation'), table(tuning_cells(comparison), left=2)]
    return [*found, paragraph(note(comparison), class_='muted')]


def _tiles(comparison: Comparison, section: Section, row: Row) -> Markup:
    """Return the numbers that a reader looks for first."""
    gain, (factor, _, unit) = gain_of(row, section.alone), scale_of(comparison.metric)
    heading = element('p', f'{row.arm} against {section.alone.arm}', class_='versus')
    if gain is None:
        return joined([heading, paragraph('The runs of this pair are missing.')])
    unit = unit.removeprefix(', ') or comparison.metric
    pairs = len(gain.pairs)
    interval = gain.student
    told = (
        f'95 %: {factor * interval.low:+.2f} to {factor * interval.high:+.2f}' if interval else 'one pair: no interval'
    )
    verdict = {False: NOT_SHOWN, None: '', True: 'shown: both intervals are above zero'}[gain.is_shown]
    if gain.is_shown and gain.mean < 0:
        verdict = 'shown: both intervals are below zero'
    tiles = [
        _tile('mean gain', f'{factor * gain.mean:+.2f} {unit}', f'{told}. {verdict}'.strip('. ')),
        _tile('won', f'{gain.wins} of {pairs}', f'worst pair {factor * gain.worst:+.2f} {unit}'),
        _tile('worst seed', _change(section.alone.worst, row.worst, factor), f'{comparison.metric} on test'),
    ]
    agreements = mean_of(section.alone.agreement), mean_of(row.agreement)
    if None not in agreements:
        tiles.append(_tile('agreement with the teacher', _change(*agreements, 100.0), 'mean over seeds, % of clips'))
    return joined([heading, element('div', *tiles, class_='tiles')])


def _tile(name: str, value: str, more: str) -> Markup:
    parts = [element('div', name, class_='name'), element('div', value, class_='value')]
    return element('div', *parts, element('div', more, class_='muted'), class_='tile')


def _change(before: float | None, after: float | None, factor: float) -> str:
    shown = ['-' if each is None else f'{factor * each:.2f}' for each in (before, after)]
    return ' → '.join(shown)


def _scores(comparison: Comparison, section: Section, arms: Sequence[Arm]) -> Chart:
    """Return the chart of all seeds, arms beside each other."""
    factor, unit, _ = scale_of(comparison.metric)
    offsets, looks = _offsets(len(comparison.seeds)), {arm.name: arm for arm in arms}
    heights = [[math.nan if each is None else factor * each for each in row.scores] for row in section.rows]
    last = len(section.rows) - 1
    lines = [
        Line([(-0.5, factor * each.score), (last + 0.5, factor * each.score)], 'teacher', GOAL)
        for each in comparison.teachers
    ]
    for seed, offset in enumerate(offsets):
        lines.append(Line([(place + offset, each[seed]) for place, each in enumerate(heights)], 'ink', SEED))
    dots = []
    for place, (row, each) in enumerate(zip(section.rows, heights, strict=True)):
        arm = looks[row.arm]
        points = [(place + offset, height) for offset, height in zip(offsets, each, strict=True)]
        dots.append(Dots(points, arm.look, arm.shape))
        if row.mean is not None:
            mean = factor * row.mean
            lines.append(Line([(place - 0.32, mean), (place + 0.32, mean)], arm.look, 'mean'))
    entries = [(looks[row.arm].short, looks[row.arm].look, looks[row.arm].shape) for row in section.rows]
    entries += [('teacher', 'teacher', 'dashed')] if comparison.teachers else []
    return Chart(
        'seeds',
        'Every seed',
        f'{comparison.metric} of the last checkpoint on test{unit}; a dot is one of {_seeds(comparison)}, a thin line '
        'joins the runs of one seed, a bar is the mean.',
        Axis('', names=tuple(looks[row.arm].short for row in section.rows)),
        Axis(f'{comparison.metric}{unit}'),
        lines,
        dots,
        entries,
    )


def _gains(comparison: Comparison, section: Section, arms: Sequence[Arm]) -> Chart | None:
    """Return the chart of paired differences; None where there are fewer than two pairs."""
    factor, _, unit = scale_of(comparison.metric)
    looks, names, lines, dots = {arm.name: arm for arm in arms}, [], [], []
    for row, other in section.pairs():
        gain = gain_of(row, other)
        if gain is None or gain.student is None:
            continue
        place, arm = len(names), looks[row.arm]
        shown = [factor * each for each in gain.pairs]
        dots.append(Dots([(x, place - 0.18) for x in sorted(shown)], arm.look, arm.shape))
        low, high = factor * gain.student.low, factor * gain.student.high
        lines.append(Line([(low, place + 0.2), (high, place + 0.2)], arm.look, 'mean'))
        dots.append(Dots([(factor * gain.mean, place + 0.2)], arm.look, arm.shape, is_large=True))
        names.append(f'{arm.short} - {looks[other.arm].short}')
    if not names:
        return None
    zero = Line([(0.0, -0.5), (0.0, len(names) - 0.5)], 'ink', GUIDE)
    return Chart(
        'gains',
        'Gain of each pair',
        f'{comparison.metric} on test, differences of the same seed{unit}; small: one of {_seeds(comparison)}, large: '
        "their mean, with its 95 % interval by Student's t. To the right of the line distillation has helped.",
        Axis(f'difference{unit}', within=0.0),
        Axis('', names=tuple(names)),
        [zero, *lines],
        dots,
    )


def _seeds(comparison: Comparison) -> str:
    return counted(len(comparison.seeds), 'seed')


def _offsets(count: int) -> list[float]:
    return [0.0] if count == 1 else [SPREAD * (2 * index / (count - 1) - 1) for index in range(count)]
