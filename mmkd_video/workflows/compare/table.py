"""A comparison as tables, for a terminal and for a document."""

from collections.abc import Callable, Sequence

from mmkd_video.core.text_table import aligned
from mmkd_video.workflows.compare.arms import ALONE, AS_LONG
from mmkd_video.workflows.compare.intervals import Gain, Interval
from mmkd_video.workflows.compare.result import (
    NEAR_CHANCE,
    POINT,
    Comparison,
    Row,
    Section,
    gain_by_clip,
    gain_of,
    gap_of,
    mean_of,
)

FEW_SEEDS = 3  # up to so many, every seed has a column
NOT_SHOWN = 'no difference shown'
Cells = list[list[str]]


def as_text(comparison: Comparison) -> str:
    """Return the tables for a terminal."""
    return _document(comparison, _text_table, '{}')


def as_markdown(comparison: Comparison, brief: bool = False) -> str:
    """Return the tables for a document, with the command.

    Args:
        comparison: Comparison to write down.
        brief: Whether to say of a grid only how often its points kept the promise, and to leave the trials out.
    """
    return f'{_document(comparison, _markdown_table, "**{}**", brief)}\n\n`{comparison.command}`'


def _document(comparison: Comparison, table: Callable[[Cells], str], heading: str, brief: bool = False) -> str:
    parts = []
    shown = [section for section in comparison.sections if not section.in_grid]
    for section in shown:
        parts += [heading.format(_capital(section.title))] if len(comparison.sections) > 1 else []
        parts.append(table(score_cells(comparison, section)))
        parts.append(table(gain_cells(comparison, section)))
    points = [section for section in comparison.sections if section.in_grid]
    if points:
        parts += [] if brief else [heading.format('Every point of the grid'), table(grid_cells(comparison, points))]
        parts += grid_sentences(comparison, points)
    if comparison.tuning and not brief:
        parts += [heading.format('Tuned on validation'), table(tuning_cells(comparison))]
    parts.append(note(comparison))
    return '\n\n'.join(part for part in parts if part)


def score_cells(comparison: Comparison, section: Section) -> Cells:
    """Return head and rows of the scores: teachers, then arms."""
    metric, seeds = comparison.metric, comparison.seeds
    each = [f'seed {seed}' for seed in seeds] if 1 < len(seeds) <= FEW_SEEDS else []
    with_label = any(row.settings for row in section.rows)
    head = ['', *(['setting'] if with_label else []), 'params', 'GFLOPs', *each, f'{metric} on test']
    several = len(seeds) > 1
    table = [[*head, *(['worst seed'] if several else []), 'agreement', 'training']]
    for teacher in comparison.teachers:
        cost = teacher.cpu_seconds if _on_cpu(comparison) else teacher.seconds
        cells = [teacher.name, *([''] if with_label else []), *_size(teacher.params, teacher.gflops)]
        table.append([*cells, *[''] * len(each), _score(teacher.score, metric), *[''] * (1 + several), _duration(cost)])
    for row in section.rows:
        cells = [row_name(row), *([row.label] if with_label else []), *_size(row.params, row.gflops)]
        cells += [_score(score, metric) for score in row.scores] if each else []
        worst = [_score(row.worst, metric)] if several else []
        agreement = mean_of(row.agreement)
        share = '-' if agreement is None else f'{100 * agreement:.2f}'
        table.append([*cells, _spread(row.mean, row.deviation, metric), *worst, share, _duration(row.cost)])
    return table


def gain_cells(comparison: Comparison, section: Section) -> Cells:
    """Return head and rows of the paired differences."""
    metric = comparison.metric
    several = any(len(row.scores if row.pairs is None else row.pairs) > 1 for row in section.rows)
    head = ['', 'mean', "95 % (Student's t)", '95 % (bootstrap)', 'wins', 'worst pair', 'gap closed', '']
    table = [head if several else ['', 'difference', 'gap closed']]
    for row, other in section.pairs():
        gain, teacher = gain_of(row, other), comparison.teacher(row.teacher)
        name = f'{_short(row)} - {_short(other)}'
        if gain is None:
            table.append([name, 'missing', *[''] * (len(table[0]) - 2)])
            continue
        share, interval = gap_of(row, other, teacher.score) if teacher else (None, None)
        closed = '-' if share is None else f'{100 * share:.0f} %'
        closed += '' if interval is None else f' ({100 * interval.low:.0f} to {100 * interval.high:.0f})'
        if not several:
            table.append([name, _signed(gain.mean, metric), closed])
            continue
        table.append([name, *_gain(gain, metric), _signed(gain.worst, metric), closed, _verdict(gain)])
        by_clip = gain_by_clip(row, other)
        if by_clip is not None:
            table.append([f'{name}, by clip', *_gain(by_clip, metric), '', '', _verdict(by_clip)])
    return table


def _gain(gain: Gain, metric: str) -> list[str]:
    intervals = [_interval(each, metric) for each in (gain.student, gain.bootstrap)]
    return [_spread(gain.mean, gain.deviation, metric, _signed), *intervals, _wins(gain)]


def _wins(gain: Gain) -> str:
    return f'{gain.wins} of {len(gain.pairs)}{f", {gain.missing} missing" if gain.missing else ""}'


def _verdict(gain: Gain) -> str:
    return '' if gain.is_shown else NOT_SHOWN


def grid_cells(comparison: Comparison, sections: Sequence[Section]) -> Cells:
    """Return head and rows of all points: scores, paired differences, and what must not happen."""
    metric = comparison.metric
    head = ['setting', '', 'alone', 'distilled', 'difference', '95 %', 'wins', 'worst pair']
    head += ['more than a point below', 'near chance']
    table = [head]
    for section in sections:
        for row in section.distilled:
            gain = gain_of(row, section.alone)
            cells = [section.title, _short(row)]
            cells += [_spread(each.mean, each.deviation, metric) for each in (section.alone, row)]
            if gain is None:
                table.append([*cells, 'missing', *[''] * 5])
                continue
            wins, below = _wins(gain), f'{gain.losses(-POINT)} of {len(gain.pairs)}'
            chance = [comparison.near_chance(each) for each in (section.alone, row)]
            shown = '-' if None in chance else f'alone {chance[0]}, distilled {chance[1]}'
            mean = _spread(gain.mean, gain.deviation, metric, _signed)
            table.append(
                [*cells, mean, _interval(gain.student, metric), wins, _signed(gain.worst, metric), below, shown]
            )
    return table


def grid_sentences(comparison: Comparison, sections: Sequence[Section]) -> list[str]:
    """Return, for each distilled arm, in how many pairs of all points it holds what it promises."""
    found = []
    for arm in [row.arm for row in sections[0].distilled]:
        rows = [(section.alone, row) for section in sections for row in section.distilled if row.arm == arm]
        gains = [gain for gain in (gain_of(row, alone) for alone, row in rows) if gain is not None]
        known = sum(len(gain.pairs) for gain in gains)
        pairs = sum(len(row.scores if row.pairs is None else row.pairs) for _, row in rows)
        held = known - sum(gain.losses(-POINT) for gain in gains)
        chance = [comparison.near_chance(row) for _, row in rows]
        text = f'{_capital(arm)}: not more than one point below the student alone in {held} of {pairs} pairs'
        text += f', of which {pairs - known} are missing' if known < pairs else ''
        if None not in chance:
            text += f'; near chance in {sum(chance)} runs'
        found.append(f'{text}.')
    return found


def tuning_cells(comparison: Comparison) -> Cells:
    """Return head and rows of what was tried on validation."""
    table = [['arm', 'setting', 'trials', f'{comparison.metric} on validation', '']]
    for each in comparison.tuning:
        mean = mean_of(each.val)
        score = '-' if mean is None else _score(mean, comparison.metric)
        table.append([each.arm, each.label, str(len(each.seeds)), score, 'chosen' if each.chosen else ''])
    return table


def note(comparison: Comparison) -> str:
    """Return notes for a reader of the tables."""
    seeds = comparison.seeds
    spread = (
        f'mean and sample standard deviation over {len(seeds)} seeds'
        if len(seeds) > 1
        else 'one seed, which shows nothing about other seeds'
    )
    parts = [f'Last checkpoint, scored on test, {spread}.']
    parts.append(f'Training in {"CPU " if _on_cpu(comparison) else ""}min:s, validation left out.')
    parts.append('Agreement: clips of test on which student and teacher give one answer, in percent.')
    if len(seeds) > 1:
        parts.append(f'"{NOT_SHOWN}": one of the two 95 % intervals holds zero, or a run failed.')
    if any(row.kind == AS_LONG for section in comparison.sections for row in section.rows):
        parts.append('As long: the student alone for the epochs that the time of the distilled one buys.')
    if comparison.chance is not None and any(section.in_grid for section in comparison.sections):
        parts.append(f'Near chance: at most {NEAR_CHANCE} times {100 * comparison.chance:.1f} %.')
    parts += comparison.notes
    parts += [_nothing_to_learn(comparison, row) for row in comparison.sections[0].distilled]
    if comparison.missing:
        parts.append(f'MISSING, since they failed: {"; ".join(comparison.missing)}.')
    return ' '.join(part for part in parts if part)


def _on_cpu(comparison: Comparison) -> bool:
    return all(row.device == 'cpu' for section in comparison.sections for row in section.rows)


def _nothing_to_learn(comparison: Comparison, row: Row) -> str:
    teacher, alone = comparison.teacher(row.teacher), comparison.sections[0].alone.mean
    if teacher is None or alone is None or teacher.score > alone:
        return ''
    return (
        f'The {teacher.name} is not better than the student alone ({_score(teacher.score, comparison.metric)} against '
        f'{_score(alone, comparison.metric)}): there is nothing to be learnt from it; train a better one first.'
    )


def row_name(row: Row) -> str:
    """Return what a row is called: a student that trains for longer with how long."""
    return f'{row.arm} ({row.length})' if row.length else row.arm


def _short(row: Row) -> str:
    if row.kind == ALONE:
        return 'alone'
    return row.arm.removeprefix('student ')


def _text_table(table: Cells) -> str:
    return '\n'.join(aligned(table))


def _markdown_table(table: Cells) -> str:
    head, *body = table
    lines = [head, ['---', *['---:'] * (len(head) - 1)], *body]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def _size(params: int, gflops: float | None) -> list[str]:
    return [f'{params / 1e6:.2f} M', '-' if gflops is None else f'{gflops:.3f}']


def _scale(metric: str) -> float:
    return 100.0 if metric.startswith('acc/') else 1.0  # accuracies are shown in percent


def _score(value: float | None, metric: str) -> str:
    if value is None:
        return '-'
    return f'{value * _scale(metric):.2f}' if _scale(metric) > 1 else f'{value:.4f}'


def _signed(value: float, metric: str) -> str:
    digits = 2 if _scale(metric) > 1 else 4
    return f'{round(value * _scale(metric), digits) + 0.0:+.{digits}f}'  # the sum turns -0.0 into 0.0


def _interval(interval: Interval | None, metric: str) -> str:
    return '-' if interval is None else f'{_signed(interval.low, metric)} to {_signed(interval.high, metric)}'


def _spread(mean: float | None, deviation: float | None, metric: str, form=_score) -> str:
    if mean is None:
        return 'missing'
    return form(mean, metric) if deviation is None else f'{form(mean, metric)} ± {_score(deviation, metric)}'


def _duration(seconds: float | None) -> str:
    return '-' if seconds is None else f'{int(seconds) // 60}:{int(seconds) % 60:02d}'


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
