"""What training steps with other losses cost beside one with KDLoss: the numbers and their table."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from mmkd_video.benchmark import Interval, Row
from mmkd_video.core.text_table import aligned

HEADER = ('config', 'terms', 'time / KDLoss', '95 % interval', 'target', '', 'peak memory - KDLoss')


@dataclass(frozen=True)
class LossCost:
    """The step of one config.

    Args:
        terms: Losses and where they compare, for the table.
        time: Ratio of its time to that of KDLoss alone, round by round.
        target: The most that should be; None where the cost is only stated.
        memory: Bytes that its peak is above that of KDLoss alone; None where it was not measured.
    """

    terms: str
    time: Interval
    target: float | None = None
    memory: int | None = None

    def row(self, name: str) -> Row:
        """Return its time beside the target.

        Args:
            name: Name of the config.
        """
        return Row.of(name, 'ratio', self.time, self.target)

    def cells(self, name: str) -> tuple[str, ...]:
        """Return the row of the table.

        Args:
            name: Name of the config.
        """
        _, value, interval, target, verdict = self.row(name).cells()
        memory = '' if self.memory is None else f'{self.memory / 1e6:+.1f} MB'
        return name, self.terms, value, interval, target or 'stated', verdict, memory


@dataclass
class LossCosts:
    """All configs of one run.

    Args:
        title: Heading that says what was measured.
        facts: Facts that a reader needs to measure it again.
        costs: Costs by name of the config.
        raw: Every single measurement; kept out of :meth:`summary`.
    """

    title: str
    facts: dict[str, str] = field(default_factory=dict)
    costs: dict[str, LossCost] = field(default_factory=dict)
    raw: dict = field(default_factory=dict)

    def as_markdown(self) -> str:
        """Return facts and table for the documentation."""
        table = [HEADER, *(cost.cells(name) for name, cost in self.costs.items())]
        lines = ['| ' + ' | '.join(cells) + ' |' for cells in table]
        lines.insert(1, '|---|---|---:|---:|---:|---|---:|')
        return '\n'.join(
            [f'{self.title}.', '', *(f'- {key}: {value}' for key, value in self.facts.items()), '', *lines]
        )

    def as_text(self) -> str:
        """Return facts and table for a terminal."""
        table = [HEADER, *(cost.cells(name) for name, cost in self.costs.items())]
        facts = [f'{key}: {value}' for key, value in self.facts.items()]
        return '\n'.join([self.title, *facts, '', *aligned(table, left=len(HEADER))])

    def summary(self) -> dict:
        """Return what pages quote, ready for YAML."""
        costs = {name: asdict(cost) for name, cost in self.costs.items()}
        return dict(title=self.title, facts=self.facts, costs=costs)

    def as_dict(self) -> dict:
        """Return everything, ready for JSON."""
        return dict(self.summary(), raw=self.raw)

    @classmethod
    def from_dict(cls, saved: Mapping) -> 'LossCosts':
        """Read back what :meth:`summary` gave."""
        costs = {name: LossCost(**dict(cost, time=Interval(**cost['time']))) for name, cost in saved['costs'].items()}
        return cls(saved['title'], dict(saved['facts']), costs)
