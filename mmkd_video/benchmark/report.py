"""A table of measurements beside their targets."""

from dataclasses import asdict, dataclass, field

from mmkd_video.benchmark.intervals import Interval

HEADER = ('measure', 'value', '95 % interval', 'target', '')
UNITS = {'s': (1e3, 'ms', 1), 'bytes': (1e-6, 'MB', 2), 'ratio': (1, 'x', 3), 'count': (1, '', 2)}
"""Unit to (factor, what is shown, decimals)."""


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
        name: What was measured.
        value: In ``unit``; the median where there are several.
        unit: ``'s'``, ``'bytes'``, ``'ratio'`` or ``'count'``.
        interval: Where its median may lie, if it was measured several times.
        target: The most it should be, in ``unit``; None where nothing is asked.
        exact: Whether the value should be the target, not at most the target.
    """

    name: str
    value: float
    unit: str
    interval: Interval | None = None
    target: float | None = None
    exact: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the value, or the lower end of its interval, keeps to the target; None without a target."""
        if self.target is None:
            return None
        least = self.value if self.interval is None else self.interval.low
        return least == self.target if self.exact else least <= self.target

    def cells(self) -> tuple[str, str, str, str, str]:
        """Return name, value, interval, target and verdict as text."""
        interval = ''
        if self.interval is not None:
            interval = f'{_show(self.interval.low, self.unit)} to {_show(self.interval.high, self.unit)}'
        target = '' if self.target is None else ('= ' if self.exact else '<= ') + _show(self.target, self.unit)
        verdict = {None: '', True: 'met', False: 'NOT met'}[self.met]
        return self.name, _show(self.value, self.unit), interval, target, verdict


@dataclass
class Report:
    """All measurements of one run.

    Attributes:
        title: What was measured.
        facts: What a reader needs to measure it again: machine, versions, sizes.
        rows: In the order of the table.
        raw: Every single measurement, for the JSON.
    """

    title: str
    facts: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    raw: dict = field(default_factory=dict)

    def as_text(self) -> str:
        """Return the table for a terminal."""
        table = [HEADER, *(row.cells() for row in self.rows)]
        widths = [max(len(cells[i]) for cells in table) for i in range(len(HEADER))]
        lines = ['  '.join(cell.ljust(w) for cell, w in zip(cells, widths, strict=True)).rstrip() for cells in table]
        facts = [f'{key}: {value}' for key, value in self.facts.items()]
        return '\n'.join([self.title, *facts, '', lines[0], '-' * max(map(len, lines)), *lines[1:]])

    def as_markdown(self) -> str:
        """Return the table for the documentation."""
        lines = ['| ' + ' | '.join(cells) + ' |' for cells in [HEADER, *(row.cells() for row in self.rows)]]
        lines.insert(1, '|---|---:|---:|---:|---|')
        facts = [f'- {key}: {value}' for key, value in self.facts.items()]
        return '\n'.join([f'{self.title}.', '', *facts, '', *lines])

    def as_dict(self) -> dict:
        """Return everything, ready for JSON."""
        return dict(
            title=self.title,
            facts=self.facts,
            rows=[dict(asdict(row), met=row.met) for row in self.rows],
            raw=self.raw,
        )


def _show(value: float, unit: str) -> str:
    factor, symbol, decimals = UNITS[unit]
    if unit == 'count' and value == int(value):
        decimals = 0
    return f'{value * factor:.{decimals}f} {symbol}'.rstrip()
