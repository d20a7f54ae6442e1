"""A table of measurements beside their targets."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from mmkd_video.benchmark.intervals import Interval
from mmkd_video.core.text_table import aligned

HEADER = ('measure', 'value', '95 % interval', 'target', '')
PRECISION = 0.01
"""How far an interval may reach beyond its target, or from its median, as a share of the median."""
COVERAGE = 0.95
MET, NOT_SHOWN, NOT_MET, NOT_MEASURED = 'met', 'not shown', 'NOT met', 'not measured: other load'
UNITS = {'s': (1e3, 'ms', 1), 'bytes': (1e-6, 'MB', 2), 'ratio': (1, 'x', 3), 'count': (1, '', 2)}
"""Unit to (factor, what is shown, decimals)."""


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
        name: Name of the measurement.
        value: Value in ``unit``; the median where there are several. None where other load forbade to measure it.
        unit: ``'s'``, ``'bytes'``, ``'ratio'`` or ``'count'``.
        interval: Interval of its median, if it was measured several times.
        target: Most that it should be, in ``unit``; None where nothing is asked.
        exact: Whether the value should be the target, not at most the target.
    """

    name: str
    value: float | None
    unit: str
    interval: Interval | None = None
    target: float | None = None
    exact: bool = False

    @classmethod
    def of(cls, name: str, unit: str, interval: Interval | None, target: float | None = None) -> 'Row':
        """Return the row of a median; of none, where other load forbade to measure it."""
        return cls(name, None if interval is None else interval.median, unit, interval, target)

    @property
    def verdict(self) -> str | None:
        """Verdict on the target; None without one.

        ``'met'``: the value is at most the target and the upper end of its interval at most 1 % of the value above it.
        ``'NOT met'``: the whole interval is above the target. ``'not shown'``: neither can be said. A value without an
        interval is what it is.
        """
        if self.target is None:
            return None
        if self.value is None:
            return NOT_SHOWN
        if self.interval is None:
            return MET if self.value == self.target or (not self.exact and self.value < self.target) else NOT_MET
        if self.interval.coverage < COVERAGE:
            return NOT_SHOWN
        if self.interval.low > self.target:
            return NOT_MET
        met = self.value <= self.target and self.interval.high <= self.target + PRECISION * self.value
        return MET if met else NOT_SHOWN

    @property
    def met(self) -> bool | None:
        """Whether the target is shown to be met; None without one."""
        return None if self.target is None else self.verdict == MET

    @property
    def settled(self) -> bool:
        """Whether more rounds would not be worth the time.

        The interval is as narrow as 1 % of its median to both sides, so that the median decides, or lies wholly on one
        side of the target.
        """
        if self.target is None or self.interval is None:
            return True  # nothing to learn by more rounds
        one_side = self.interval.low > self.target or self.interval.high <= self.target
        return self.narrow or (self.interval.coverage >= COVERAGE and one_side)

    @property
    def narrow(self) -> bool:
        """Whether the interval reaches at most 1 % of its median from it."""
        if self.interval is None:
            return False
        low, middle, high = self.interval.low, self.interval.median, self.interval.high
        return self.interval.coverage >= COVERAGE and max(high - middle, middle - low) <= PRECISION * middle

    def cells(self) -> tuple[str, str, str, str, str]:
        """Return name, value, interval, target and verdict as text."""
        interval = ''
        if self.interval is not None:
            interval = f'{_show(self.interval.low, self.unit)} to {_show(self.interval.high, self.unit)}'
        target = '' if self.target is None else ('= ' if self.exact else '<= ') + _show(self.target, self.unit)
        value = NOT_MEASURED if self.value is None else _show(self.value, self.unit)
        return self.name, value, interval, target, self.verdict or ''

    def as_dict(self) -> dict:
        """Return everything, ready for JSON."""
        return dict(asdict(self), verdict=self.verdict)

    @classmethod
    def from_dict(cls, saved: Mapping) -> 'Row':
        """Read what :meth:`as_dict` gave; what follows from the numbers is computed again."""
        kept = {key: value for key, value in saved.items() if key not in ('met', 'verdict')}
        interval = kept.get('interval')
        return cls(**dict(kept, interval=None if interval is None else Interval(**interval)))


@dataclass
class Report:
    """All measurements of one run.

    Attributes:
        title: Heading that says what was measured.
        facts: Facts that a reader needs to measure it again: machine, versions, sizes.
        rows: Measurements in the order of the table.
        raw: Every single measurement, for the JSON.
    """

    title: str
    facts: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    raw: dict = field(default_factory=dict)

    def as_text(self) -> str:
        """Return the table for a terminal."""
        table = [HEADER, *(row.cells() for row in self.rows)]
        facts = [f'{key}: {value}' for key, value in self.facts.items()]
        return '\n'.join([self.title, *facts, '', *aligned(table, left=len(HEADER))])

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
            rows=[row.as_dict() for row in self.rows],
            raw=self.raw,
        )

    @classmethod
    def from_dict(cls, saved: Mapping) -> 'Report':
        """Read back what :meth:`as_dict` gave."""
        rows = [Row.from_dict(row) for row in saved['rows']]
        return cls(saved['title'], dict(saved['facts']), rows, dict(saved.get('raw') or {}))


def _show(value: float, unit: str) -> str:
    factor, symbol, decimals = UNITS[unit]
    if unit == 'count' and value == int(value):
        decimals = 0
    return f'{value * factor:.{decimals}f} {symbol}'.rstrip()
