"""Charts as PNG, for documents that hold no SVG."""

import io
from typing import Any

from mmkd_video.workflows.report.chart import GOAL, GUIDE, MEAN, SEED, Axis, Chart, Line
from mmkd_video.workflows.report.looks import COLORS

MARKERS = {
    'circle': 'o', 'square': 's', 'diamond': 'D', 'triangle': '^', 'down': 'v', 'plus': '+', 'cross': 'x',
}  # fmt: skip
_LINES = {
    SEED: dict(linewidth=0.8, alpha=0.4),
    MEAN: dict(linewidth=2.2),
    GOAL: dict(linewidth=1.4, linestyle='--'),
    GUIDE: dict(linewidth=0.8, alpha=0.6),
}
WIDTH, HEIGHT, ROW = 5.4, 3.8, 0.26  # inches


def draw_png(chart: Chart) -> bytes:
    """Return a chart as PNG.

    Args:
        chart: The chart.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = HEIGHT if chart.y.names is None else 1.6 + ROW * max(len(chart.y.names), 3)
    figure = Figure(figsize=(WIDTH, height), dpi=150, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    (x_low, x_high), (y_low, y_high) = chart.ends()
    _prepare(axes.xaxis, axes.set_xlim, chart.x, x_low, x_high)
    ends = (y_low, y_high) if chart.y.names is None else (y_high, y_low)
    _prepare(axes.yaxis, axes.set_ylim, chart.y, *ends)
    for line in chart.lines:
        _draw(axes, line)
    for dots in chart.dots:
        points = [point for point in dots.known() if chart.holds(point)]
        size = 9 if dots.is_large else 5
        edge = 1.6 if dots.shape in ('plus', 'cross') else 0
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            MARKERS[dots.shape],
            color=COLORS[dots.look][0],
            markersize=size,
            markeredgewidth=edge,
            alpha=0.85,
        )
    _finish(axes, chart)
    drawn = io.BytesIO()
    figure.savefig(drawn, format='png', metadata={'Software': None})
    return drawn.getvalue()


def _draw(axes: Any, line: Line) -> None:
    for part in line.parts():
        axes.plot([x for x, _ in part], [y for _, y in part], color=COLORS[line.look][0], **_LINES[line.kind])


def _prepare(axis: Any, set_ends: Any, wanted: Axis, low: float, high: float) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    if wanted.is_log:
        getattr(axis.axes, f'set_{axis.axis_name}scale')('log')
    set_ends(low, high)
    ticks = wanted.ticks(min(low, high), max(low, high))
    axis.set_major_locator(FixedLocator([place for place, _ in ticks]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FixedFormatter([_plain(text) for _, text in ticks]))
    axis.set_label_text(_plain(wanted.label), fontsize=9)
    axis.set_tick_params(labelsize=8)


def _finish(axes: Any, chart: Chart) -> None:
    from matplotlib.lines import Line2D

    axes.set_title(_plain(chart.title), loc='left', fontsize=10)
    axes.grid(True, color='#e6e6e6', linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[['top', 'right']].set_visible(False)
    signs = []
    for name, look, shape in dict.fromkeys(chart.legend):
        style = {'line': dict(linewidth=2.2), 'dashed': dict(linewidth=1.4, linestyle='--')}.get(shape)
        style = style or dict(marker=MARKERS[shape], linestyle='')
        signs.append(Line2D([], [], color=COLORS[look][0], label=_plain(name), **style))
    if signs:
        axes.figure.legend(handles=signs, loc='outside lower center', ncols=3, frameon=False, fontsize=8)


def _plain(text: str) -> str:
    """Return text in which nothing is mathematics."""
    return text.replace('$', r'\$')
