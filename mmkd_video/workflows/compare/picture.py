"""A comparison as a picture: every seed a dot."""

import io
from pathlib import Path

import numpy as np

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.workflows.compare.arms import ALONE, AS_LONG
from mmkd_video.workflows.compare.result import Comparison, Row, Section

COLORS = {ALONE: '#4477aa', AS_LONG: '#66ccee'}  # Tol's, safe for all eyes
DISTILLED_COLORS = ('#ee6677', '#228833', '#ccbb44', '#aa3377', '#bbbbbb')
ROWS_ABREAST = 10  # arms of all panels beside each other
SPREAD = 0.14  # of the dots, to both sides of their arm


def draw_comparison(comparison: Comparison, path: str | Path) -> Path:
    """Draw the scores of all seeds, arms side by side, the teacher as a line; a panel for each section.

    Thin lines join the runs of one seed; a bar is the mean.

    Args:
        comparison: Comparison to draw.
        path: Path of the picture, such as ``.png`` or ``.svg``.

    Returns:
        The path.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    first, *others = comparison.sections
    sections = [first, *(section for section in others if section.title != first.title)]
    widths = [len(section.rows) for section in sections]
    columns = min(len(sections), max(1, ROWS_ABREAST // max(widths)))
    lines = -(-len(sections) // columns)
    figure = Figure(figsize=(2.2 + 1.35 * columns * max(widths), 4.6 * lines), dpi=150, layout='constrained')
    FigureCanvasAgg(figure)
    panels = figure.subplots(lines, columns, sharey=True, squeeze=False)
    for panel, section in zip(panels.flat, sections, strict=False):
        _draw(panel, comparison, section)
    for panel in list(panels.flat)[len(sections) :]:
        panel.set_visible(False)
    for row in panels:
        row[0].set_ylabel(f'{comparison.metric} on test{", %" if comparison.metric.startswith("acc/") else ""}')
    seeds = f'{len(comparison.seeds)} seeds' if len(comparison.seeds) > 1 else 'one seed'
    figure.suptitle(f'{", ".join(comparison.configs)}: {seeds}', x=0.02, ha='left', fontsize=11)
    drawn, path = io.BytesIO(), Path(path)
    figure.savefig(drawn, format=path.suffix[1:], metadata={'Software': None})
    write_atomically(drawn.getvalue(), path)
    return path


def _draw(axes: object, comparison: Comparison, section: Section) -> None:
    scale = 100 if comparison.metric.startswith('acc/') else 1
    count = len(comparison.seeds)
    offsets = np.linspace(-SPREAD, SPREAD, count) if count > 1 else np.zeros(1)
    heights = [[np.nan if score is None else scale * score for score in row.scores] for row in section.rows]
    for seed in range(count):
        axes.plot(
            [place + offsets[seed] for place in range(len(heights))],
            [each[seed] for each in heights],
            color='#dddddd',
            linewidth=0.7,
            zorder=1,
        )
    for place, (row, each) in enumerate(zip(section.rows, heights, strict=True)):
        axes.plot(place + offsets, each, 'o', color=_color(comparison, row), markersize=6, alpha=0.8, markeredgewidth=0)
        if row.mean is not None:
            axes.hlines(scale * row.mean, place - 0.3, place + 0.3, color=_color(comparison, row), linewidth=2.2)
    for teacher in comparison.teachers:
        axes.axhline(scale * teacher.score, color='#555555', linewidth=1, linestyle='--', zorder=0)
        axes.annotate(
            teacher.name,
            (1, scale * teacher.score),
            xycoords=('axes fraction', 'data'),
            xytext=(-3, 3),
            textcoords='offset points',
            ha='right',
            fontsize=8,
            color='#555555',
        )
    axes.set_xticks(range(len(section.rows)), [_tick(row) for row in section.rows], fontsize=8)
    axes.set_xlim(-0.6, len(section.rows) - 0.4)
    axes.set_title(section.title, loc='left', fontsize=9)
    axes.grid(True, axis='y', color='#eeeeee', linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[['top', 'right']].set_visible(False)


def _color(comparison: Comparison, row: Row) -> str:
    if row.kind in COLORS:
        return COLORS[row.kind]
    arms = [each.arm for each in comparison.sections[0].distilled]
    return DISTILLED_COLORS[arms.index(row.arm) % len(DISTILLED_COLORS)]


def _tick(row: Row) -> str:
    lines = [row.arm.replace(': ', ':\n').replace(', ', ',\n').replace('student ', 'student\n', 1)]
    lines += [row.length] if row.length else []
    return '\n'.join([*lines, *([row.label.replace(', ', '\n')] if row.settings else [])])
