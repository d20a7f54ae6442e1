"""All lines of a deployment benchmark: ratios in the same runtime first, then every number."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median

from mmkd_video.benchmark.deployment import HEADER, Deployment, shown
from mmkd_video.benchmark.intervals import Interval, median_interval, paired_ratios
from mmkd_video.benchmark.report import Row
from mmkd_video.benchmark.speedups import Speedups
from mmkd_video.core.text_table import aligned

SHORT_COLUMNS = 6  # columns of ratios in the short table


@dataclass
class DeploymentReport:
    """All lines of one run.

    Attributes:
        title: Heading that says what was measured.
        deployments: Lines of the tables; the first of each number of threads is its baseline.
        facts: Facts that a reader needs to measure it again.
        targets: Targets, and whether they were met.
    """

    title: str
    deployments: list[Deployment]
    facts: dict[str, str] = field(default_factory=dict)
    targets: list[Row] = field(default_factory=list)

    @property
    def processor(self) -> str:
        """Description of the processor on which everything was measured."""
        return self.facts.get('processor', 'not known')

    @property
    def speedups(self) -> Speedups:
        """The ratios of the time of one clip."""
        return Speedups(self.deployments)

    def baseline(self, threads: int) -> Deployment:
        """Return the first line with a number of threads."""
        return next(each for each in self.deployments if each.threads == threads)

    def speedup(self, deployment: Deployment) -> float | None:
        """Return how many single clips a line classifies while the baseline with as many threads classifies one."""
        base = self.baseline(deployment.threads).clips_per_second
        rate = deployment.clips_per_second
        return rate / base if rate and base else None

    def clips_ratio(self, deployment: Deployment) -> Interval | None:
        """Return single clips a second of the baseline over those of a line; None where one was not measured."""
        base, line = self.baseline(deployment.threads), deployment
        if not base.rates or not line.rates:
            return None
        alike = (base.rates is base.side_by_side) == (line.rates is line.side_by_side)
        if alike and len(base.rates) == len(line.rates):
            return median_interval(paired_ratios(base.rates, line.rates))  # of the same rounds
        ours, theirs = median_interval(base.rates), median_interval(line.rates)
        low, high = ours.low / theirs.high, ours.high / theirs.low
        return Interval(ours.median / theirs.median, low, high, min(ours.coverage, theirs.coverage))

    def best(self, model: str, runtime: str) -> Deployment:
        """Return the line of a model in a runtime with the number of threads that suits it best."""
        lines = [each for each in self.deployments if (each.model, each.runtime) == (model, runtime)]
        return min(lines, key=lambda each: float('inf') if each.latency is None else each.latency)

    def as_text(self) -> str:
        """Return the tables for a terminal."""
        facts = [f'{key}: {value}' for key, value in self.facts.items()]
        parts = [[self.title, *facts]]
        if self.speedups.lines:
            parts += [[self.speedups.title(self.processor)], aligned(self._ratios(), left=2), self.speedups.sentences()]
        parts += [aligned(self._table(), left=2), self._verdicts()]
        return '\n\n'.join('\n'.join(part) for part in parts if part)

    def as_markdown(self) -> str:
        """Return the tables for the documentation."""
        parts = [[f'{self.title}.'], [f'- {key}: {value}' for key, value in self.facts.items()]]
        if self.speedups.lines:
            parts += [[f'{self.speedups.title(self.processor)}.'], _marked(self._ratios()), self.speedups.sentences()]
        parts += [_marked(self._table()), [f'- {line}' for line in self._verdicts()]]
        return '\n\n'.join('\n'.join(part) for part in parts if part)

    def fastest(self) -> list[Deployment]:
        """Return one line for each model in each runtime: that with the number of threads that suits it best."""
        return [self.best(*pair) for pair in dict.fromkeys((each.model, each.runtime) for each in self.deployments)]

    def highlights(self) -> str:
        """Return a short table: each model in its first and its fastest runtime, and the reference in all of these."""
        found, most = self.speedups, max(each.threads for each in self.deployments)
        if not found.lines:
            return f'Not measured: other load. Processor: {self.processor}.'
        chosen = self._chosen(found)
        header = (*found.header()[:SHORT_COLUMNS], f'clips/s, {most} threads', 'size', 'params', 'top-1')
        rows = [header]
        for line in chosen:
            pairs = (each for each in self.deployments if each.threads == most)
            full = next((each for each in pairs if (each.model, each.runtime) == (line.model, line.runtime)), line)
            rows.append((*found.cells(line)[:SHORT_COLUMNS], shown(full.clips_per_second, 1, '.0f'), *_last(full)))
        return '\n\n'.join([f'{found.title(self.processor)}.', '\n'.join(_marked(rows)), *found.sentences()])

    def as_dict(self) -> dict:
        """Return everything, ready for JSON."""
        return dict(
            title=self.title,
            facts=self.facts,
            deployments=[dict(asdict(each), speedup=self.speedup(each)) for each in self.deployments],
            targets=[row.as_dict() for row in self.targets],
        )

    @classmethod
    def from_dict(cls, saved: dict) -> 'DeploymentReport':
        """Read back what :meth:`as_dict` gave."""
        lines = [{key: value for key, value in each.items() if key != 'speedup'} for each in saved['deployments']]
        targets = [Row.from_dict(row) for row in saved['targets']]
        return cls(saved['title'], [Deployment(**each) for each in lines], dict(saved['facts']), targets)

    def _chosen(self, found: Speedups) -> list[Deployment]:
        """Return the lines of the short table."""
        chosen, reference = [], self.deployments[0].model
        for model in dict.fromkeys(each.model for each in found.lines if not each.is_of(reference)):
            own = [each for each in found.lines if each.model == model]
            fastest = min(own, key=lambda each: median(found.seconds(each)))
            chosen += [each for each in own if each is own[0] or each is fastest]
        runtimes = {found.lines[0].runtime, *(each.runtime for each in chosen)}
        own = [each for each in found.lines if each.is_of(reference)]
        return [each for each in own if each.runtime in runtimes or each is found.best] + chosen

    def _ratios(self) -> list[tuple[str, ...]]:
        found = self.speedups
        return [found.header(), *(found.cells(each) for each in found.lines)]

    def _table(self) -> list[tuple[str, ...]]:
        return [HEADER, *(each.cells(self.baseline(each.threads)) for each in self.deployments)]

    def _verdicts(self) -> list[str]:
        return [f'{" ".join(filter(None, row.cells()))} ({self.processor})' for row in self.targets]


def _last(line: Deployment) -> tuple[str, ...]:
    return (
        shown(line.file_bytes, 1e-6, '.2f', ' MB'),
        shown(line.params, 1e-6, '.2f', ' M'),
        shown(line.accuracy, 100, '.2f'),
    )


def _marked(table: Sequence[tuple[str, ...]]) -> list[str]:
    lines = ['| ' + ' | '.join(cells) + ' |' for cells in table]
    return [lines[0], '|---|---|' + '---:|' * (len(table[0]) - 2), *lines[1:]]
