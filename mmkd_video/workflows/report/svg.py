"""Charts as SVG that takes its colours from the page, so that they suit a light and a dark one."""

import math
from collections.abc import Callable

from mmkd_video.workflows.report.chart import Axis, Chart, Dots, Line, Point
from mmkd_video.workflows.report.markup import Markup, element, joined

WIDTH, HEIGHT, ROW = 360, 236, 19
TOP, RIGHT, BOTTOM, LABEL = 24, 12, 40, 16
LETTER = 6.1  # width of a letter of 11 px, about
LONGEST = 22  # letters of a name on an axis
Place = Callable[[float], float]
_SHAPES = {
    'square': [(-1, -1), (1, -1), (1, 1), (-1, 1)],
    'diamond': [(0, -1.35), (1.35, 0), (0, 1.35), (-1.35, 0)],
    'triangle': [(0, -1.2), (1.2, 0.9), (-1.2, 0.9)],
    'down': [(0, 1.2), (1.2, -0.9), (-1.2, -0.9)],
}
_STROKES = {'plus': 'M{0},{1}h{2}M{3},{4}v{2}', 'cross': 'M{0},{4}l{2},{2}m-{2},0l{2},-{2}'}


def draw_svg(chart: Chart) -> Markup:
    """Return a chart as an inline SVG.

    Args:
        chart: The chart.
    """
    (x_low, x_high), (y_low, y_high) = chart.ends()
    y_ticks = chart.y.ticks(y_low, y_high)
    longest = max((len(shortened(text)) for _, text in y_ticks), default=0)
    left, height = round(12 + LETTER * longest), _height(chart)
    x = _scale(chart.x, x_low, x_high, left, WIDTH - RIGHT)
    y = _scale(chart.y, y_low, y_high, height - _bottom(chart), _top(chart))
    if chart.y.names is not None:  # names are read from the top
        y = _scale(chart.y, y_high, y_low, height - _bottom(chart), _top(chart))
    parts = [*_grid(chart, x, y, left, height)]
    parts += [_line(chart, line, x, y) for line in chart.lines]
    parts += [mark(dots.shape, x(a), y(b), dots) for dots in chart.dots for a, b in dots.known() if chart.holds((a, b))]
    return element(
        'svg', *parts, class_='chart', viewBox=f'0 0 {WIDTH} {height}', role='img', aria_label=_spoken(chart)
    )


def shortened(text: str) -> str:
    """Return a name that fits beside an axis."""
    return text if len(text) <= LONGEST else f'{text[: LONGEST - 1]}…'


def mark(shape: str, x: float, y: float, dots: Dots) -> Markup:
    """Return one dot.

    Args:
        shape: Name of its shape.
        x: Place to the right.
        y: Place downwards.
        dots: The dots it belongs to, for their look.
    """
    size = 5.2 if dots.is_large else 3.4
    name = f'dot c-{dots.look}'
    if shape in _SHAPES:
        corners = ' '.join(f'{x + size * dx:.1f},{y + size * dy:.1f}' for dx, dy in _SHAPES[shape])
        return element('polygon', points=corners, class_=name)
    if shape in _STROKES:
        path = _STROKES[shape].format(*(f'{each:.1f}' for each in (x - size, y, 2 * size, x, y - size)))
        return element('path', d=path, class_=f'stroke c-{dots.look}')
    return element('circle', cx=f'{x:.1f}', cy=f'{y:.1f}', r=size, class_=name)


def legend_mark(look: str, shape: str) -> Markup:
    """Return the sign of a legend.

    Args:
        look: Key of its colour.
        shape: ``'line'``, ``'dashed'`` or that of a dot.
    """
    if shape in ('line', 'dashed'):
        kind = 'mean' if shape == 'line' else 'goal'
        inner = element('path', d='M1,6H19', class_=f'{kind} c-{look}')
    else:
        inner = mark(shape, 10, 6, Dots([], look, shape))
    return element('svg', inner, class_='sign', viewBox='0 0 20 12', aria_hidden='true')


def _height(chart: Chart) -> int:
    names = chart.y.names
    inner = HEIGHT - TOP - BOTTOM if names is None else ROW * max(len(names), 2)
    return _top(chart) + inner + _bottom(chart)


def _bottom(chart: Chart) -> int:
    return BOTTOM if chart.x.label else BOTTOM - LABEL


def _top(chart: Chart) -> int:
    return TOP if chart.y.label else TOP - LABEL


def _scale(axis: Axis, low: float, high: float, first: float, last: float) -> Place:
    """Return the function from values to places."""
    if axis.is_log:
        low, high = math.log(low), math.log(high)
        return lambda value: first + (math.log(value) - low) / (high - low) * (last - first)
    return lambda value: first + (value - low) / (high - low) * (last - first)


def _grid(chart: Chart, x: Place, y: Place, left: float, height: float) -> list[Markup]:
    (x_low, x_high), (y_low, y_high) = chart.ends()
    bottom, right = height - _bottom(chart), WIDTH - RIGHT
    parts = [element('text', chart.y.label, x=2, y=13, class_='axis')]
    parts.append(element('text', chart.x.label, x=(left + right) / 2, y=height - 5, class_='axis middle'))
    for value, text in chart.y.ticks(y_low, y_high):
        place = f'{y(value):.1f}'
        parts.append(element('path', d=f'M{left},{place}H{right}', class_='rule'))
        parts.append(element('text', shortened(text), x=left - 6, y=place, class_='tick end'))
    parts.append(element('path', d=f'M{left},{bottom}H{right}', class_='base'))
    for value, text in _with_room(chart.x.ticks(x_low, x_high), x):
        parts.append(element('path', d=f'M{x(value):.1f},{bottom}v4', class_='base'))
        parts.append(element('text', shortened(text), x=f'{x(value):.1f}', y=bottom + 16, class_='tick middle'))
    return parts


def _with_room(ticks: list[tuple[float, str]], x: Place) -> list[tuple[float, str]]:
    """Return the ticks whose texts do not touch the one before."""
    kept: list[tuple[float, str]] = []
    end = -math.inf
    for value, text in ticks:
        half = LETTER * len(shortened(text)) / 2
        if x(value) - half > end + 4:
            kept.append((value, text))
            end = x(value) + half
    return kept


def _line(chart: Chart, line: Line, x: Place, y: Place) -> Markup:
    parts = [[point for point in part if chart.holds(point)] for part in line.parts()]
    path = ''.join(_path(part, x, y) for part in parts if part)
    return element('path', d=path, class_=f'{line.kind} c-{line.look}') if path else joined([])


def _path(points: list[Point], x: Place, y: Place) -> str:
    return 'M' + 'L'.join(f'{x(a):.1f},{y(b):.1f}' for a, b in points)


def _spoken(chart: Chart) -> str:
    return f'{chart.title}. {chart.y.label} over {chart.x.label}. {chart.caption}'
