"""Charts as data, whoever draws them: lines and dots over two axes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

SEED, MEAN, GOAL, GUIDE = 'seed', 'mean', 'goal', 'guide'
"""Kinds of lines: of one run, of all runs together, a value to reach, and a help for the eye."""
TICKS = 5
MOST_POINTS = 240  # of a line; more cannot be told apart on a screen
_STEPS = (1, 2, 2.5, 5, 10)
Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A line; a coordinate that is not finite leaves a gap.

    Args:
        points: Its points, from left to right.
        look: Key of its colour.
        kind: ``SEED``, ``MEAN``, ``GOAL`` or ``GUIDE``.
    """

    points: Sequence[Point]
    look: str
    kind: str = SEED

    def parts(self) -> list[list[Point]]:
        """Return the points between the gaps, thinned out where there are very many."""
        found: list[list[Point]] = [[]]
        for point in self.points:
            if all(map(math.isfinite, point)):
                found[-1].append(point)
            elif found[-1]:
                found.append([])
        return [_thinned(part) for part in found if part]


@dataclass(frozen=True)
class Dots:
    """Points without a line.

    Args:
        points: Their places.
        look: Key of their colour.
        shape: ``'circle'``, ``'square'``, ``'diamond'``, ``'triangle'``, ``'down'``, ``'plus'`` or ``'cross'``.
        is_large: Whether they stand for many, as a mean does.
    """

    points: Sequence[Point]
    look: str
    shape: str = 'circle'
    is_large: bool = False

    def known(self) -> list[Point]:
        """Return the points that are finite."""
        return [point for point in self.points if all(map(math.isfinite, point))]


@dataclass(frozen=True)
class Axis:
    """An axis.

    Args:
        label: Quantity, with the unit.
        names: Names of the places 0, 1, 2 ... instead of numbers.
        is_log: Whether it is logarithmic; values that are not positive are left out.
        low: Lower end; follows from the points by default.
        high: Upper end.
        within: Value that is in sight in any case.
        is_whole: Whether only whole numbers are places.
    """

    label: str
    names: tuple[str, ...] | None = None
    is_log: bool = False
    low: float | None = None
    high: float | None = None
    within: float | None = None
    is_whole: bool = False

    def ends(self, values: Sequence[float]) -> tuple[float, float]:
        """Return both ends, so that all values lie between them.

        Args:
            values: Finite coordinates of all points.
        """
        if self.names is not None:
            return -0.5, len(self.names) - 0.5
        values = values if self.within is None else [*values, self.within]
        if self.is_log:
            return min(values, default=1.0) / 1.25, max(values, default=10.0) * 1.25
        low, high = min(values, default=0.0), max(values, default=1.0)
        room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
        low, high = low - room, high + room
        return low if self.low is None else self.low, high if self.high is None else self.high

    def ticks(self, low: float, high: float) -> list[tuple[float, str]]:
        """Return places and texts of the ticks between two ends."""
        if self.names is not None:
            return [(float(index), name) for index, name in enumerate(self.names)]
        places = _log_ticks(low, high) if self.is_log else _even_ticks(low, high)
        if self.is_whole:
            places = sorted({place for place in map(round, places) if low <= place <= high})
        return [(place, f'{place:.6g}') for place in places]


@dataclass(frozen=True)
class Chart:
    """A chart.

    Args:
        name: Name of its file, of small letters, digits and hyphens.
        title: Heading.
        caption: Sentence on the content, its units and the number of runs, clips or seeds.
        x: Axis to the right.
        y: Axis upwards.
        lines: Lines, the first below the others.
        dots: Dots, above all lines.
        legend: Name, look and shape (``'line'``, ``'dashed'`` or that of dots) of everything that looks alike.
    """

    name: str
    title: str
    caption: str
    x: Axis
    y: Axis
    lines: Sequence[Line] = ()
    dots: Sequence[Dots] = ()
    legend: Sequence[tuple[str, str, str]] = field(default_factory=tuple)

    def ends(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the ends of both axes."""
        points = [point for point in self._points() if self.holds(point)]
        return self.x.ends([x for x, _ in points]), self.y.ends([y for _, y in points])

    def holds(self, point: Point) -> bool:
        """Return whether a finite point can be shown on the axes."""
        return not any(axis.is_log and value <= 0 for axis, value in zip((self.x, self.y), point, strict=True))

    def is_empty(self) -> bool:
        """Return whether there is nothing to be seen."""
        return not any(True for _ in self._points())

    def _points(self) -> Iterator[Point]:
        for line in self.lines:
            if line.kind != GUIDE:
                for part in line.parts():
                    yield from part
        for dots in self.dots:
            yield from dots.known()


def _thinned(points: list[Point]) -> list[Point]:
    """Return at most ``MOST_POINTS``: means of as many neighbours each."""
    size = math.ceil(len(points) / MOST_POINTS)
    if size == 1:
        return points
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def _even_ticks(low: float, high: float) -> list[float]:
    if not high > low:
        return [low]
    raw = (high - low) / TICKS
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(step * unit for step in _STEPS if step * unit >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step + 0.0 for index in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 3 else (1,)
    places = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
    return [place for place in places if low <= place <= high]
