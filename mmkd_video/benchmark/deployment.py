"""What it takes to run a model, and how good it is: one line for each model in each runtime."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median

from mmkd_video.benchmark.report import Row

HEADER = (
    'model', 'runtime', 'threads', 'latency', 'p90', 'clips/s', 'x', 'batched/s', 'memory', 'size', 'params', 'GFLOPs',
    'top-1',
)  # fmt: skip

SHORT_HEADER = ('model', 'runtime', 'threads', 'latency', 'clips/s', 'x', 'size', 'params', 'top-1')


@dataclass
class Deployment:
    """One model in one runtime.

    Attributes:
        model: Its name.
        runtime: Such as ``'eager'`` or ``'openvino int8'``.
        threads: Of the CPU.
        latencies: Seconds of one clip on all threads, each measured once.
        throughputs: Clips a second in batches, each measured once.
        file_bytes: Of the file that is shipped.
        params: Number of parameters, where they are known.
        gflops: Of one clip (a multiply-add is one), where they are known.
        accuracy: Top-1 on test, 0 to 1, where it was measured.
        memory: Bytes that opening and running the model added to a process that had loaded the libraries.
        side_by_side: Single clips a second with as many clips at once as threads, one thread each, each measured once;
            empty where it was not measured.
    """

    model: str
    runtime: str
    threads: int
    latencies: list[float]
    throughputs: list[float]
    file_bytes: int
    params: int | None = None
    gflops: float | None = None
    accuracy: float | None = None
    memory: int | None = None
    side_by_side: list[float] = field(default_factory=list)

    @property
    def latency(self) -> float:
        """Median of the latencies, in seconds."""
        return median(self.latencies)

    @property
    def p90(self) -> float:
        """The latency that nine in ten clips keep to, in seconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))]

    @property
    def clips_per_second(self) -> float:
        """Single clips, whichever is more: one after the other on all threads, or side by side on one thread each."""
        return max(1 / self.latency, median(self.side_by_side) if self.side_by_side else 0)

    @property
    def batched_per_second(self) -> float:
        """Clips a second in batches."""
        return median(self.throughputs)

    def cells(self, baseline: 'Deployment') -> tuple[str, ...]:
        """Return the line of the table.

        Args:
            baseline: Whose single clips a second are 1 x.
        """
        return (
            self.model,
            self.runtime,
            str(self.threads),
            f'{self.latency * 1e3:.2f} ms',
            f'{self.p90 * 1e3:.2f} ms',
            f'{self.clips_per_second:.0f}',
            f'{self.clips_per_second / baseline.clips_per_second:.1f}',
            f'{self.batched_per_second:.0f}',
            '-' if self.memory is None else f'{self.memory / 1e6:.0f} MB',
            f'{self.file_bytes / 1e6:.2f} MB',
            '-' if self.params is None else f'{self.params / 1e6:.2f} M',
            '-' if self.gflops is None else f'{self.gflops:.3f}',
            '-' if self.accuracy is None else f'{self.accuracy * 100:.2f}',
        )


@dataclass
class DeploymentReport:
    """All lines of one run.

    Attributes:
        title: What was measured.
        deployments: The first is the baseline of its number of threads.
        facts: What a reader needs to measure it again.
        targets: What was asked, and whether it was met.
    """

    title: str
    deployments: list[Deployment]
    facts: dict[str, str] = field(default_factory=dict)
    targets: list[Row] = field(default_factory=list)

    def baseline(self, threads: int) -> Deployment:
        """Return the first line with a number of threads."""
        return next(each for each in self.deployments if each.threads == threads)

    def speedup(self, deployment: Deployment) -> float:
        """Return how many single clips a line classifies while the baseline with as many threads classifies one."""
        return deployment.clips_per_second / self.baseline(deployment.threads).clips_per_second

    def best(self, model: str, runtime: str) -> Deployment:
        """Return the line of a model in a runtime with the number of threads that suits it best."""
        lines = [each for each in self.deployments if (each.model, each.runtime) == (model, runtime)]
        return min(lines, key=lambda each: each.latency)

    def as_text(self) -> str:
        """Return the table for a terminal."""
        table = self._table()
        widths = [max(len(cells[i]) for cells in table) for i in range(len(HEADER))]
        lines = []
        for cells in table:
            names = [cell.ljust(width) for cell, width in zip(cells[:2], widths[:2], strict=True)]
            numbers = [cell.rjust(width) for cell, width in zip(cells[2:], widths[2:], strict=True)]
            lines.append('  '.join([*names, *numbers]).rstrip())
        facts = [f'{key}: {value}' for key, value in self.facts.items()]
        return '\n'.join([self.title, *facts, '', lines[0], '-' * max(map(len, lines)), *lines[1:], *self._verdicts()])

    def as_markdown(self) -> str:
        """Return the table for the documentation."""
        lines = ['| ' + ' | '.join(cells) + ' |' for cells in self._table()]
        lines.insert(1, '|---|---|' + '---:|' * (len(HEADER) - 2))
        facts = [f'- {key}: {value}' for key, value in self.facts.items()]
        return '\n'.join([f'{self.title}.', '', *facts, '', *lines, *self._verdicts()])

    def fastest(self) -> list[Deployment]:
        """Return one line for each model in each runtime: that with the number of threads that suits it best."""
        return [self.best(*pair) for pair in dict.fromkeys((each.model, each.runtime) for each in self.deployments)]

    def highlights(self) -> str:
        """Return a short table: each model in its first and its fastest runtime, on all threads."""
        most = max(each.threads for each in self.deployments)
        lines = [each for each in self.deployments if each.threads == most]
        chosen = []
        for model in dict.fromkeys(each.model for each in lines):
            own = [each for each in lines if each.model == model]
            chosen += dict.fromkeys(map(id, (own[0], max(own, key=lambda each: each.clips_per_second))))
        table = [HEADER, *(each.cells(lines[0]) for each in lines if id(each) in chosen)]
        kept = [HEADER.index(name) for name in SHORT_HEADER]
        rows = ['| ' + ' | '.join(cells[i] for i in kept) + ' |' for cells in table]
        rows.insert(1, '|---|---|' + '---:|' * (len(kept) - 2))
        return '\n'.join(rows)

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

    def _table(self) -> Sequence[tuple[str, ...]]:
        return [HEADER, *(each.cells(self.baseline(each.threads)) for each in self.deployments)]

    def _verdicts(self) -> list[str]:
        found = [' '.join(filter(None, row.cells())) for row in self.targets]
        return ['', *found] if found else []
