"""Ratios of the time of one clip between lines of a deployment: the same runtime first."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from mmkd_video.benchmark.deployment import Deployment
from mmkd_video.benchmark.intervals import Interval, median_interval, paired_ratios
from mmkd_video.benchmark.report import NOT_MEASURED

EMPTY = '-'
LOOSE = 0.1
"""How far the interval of a number may reach from its median, as a share of it; else it is no number."""


@dataclass(frozen=True)
class Speedups:
    """Ratios of the time of one clip, round by round, on the fewest threads that were measured.

    Args:
        deployments: All lines; the first is the reference in its first runtime.
    """

    deployments: Sequence[Deployment]

    @property
    def lines(self) -> list[Deployment]:
        """The lines with the fewest threads that have a time."""
        least = min((each.threads for each in self.deployments), default=0)
        return [each for each in self.deployments if each.threads == least and self.seconds(each)]

    @property
    def clock(self) -> str:
        """The clock of the times: CPU time on one thread, where it was measured, as it leaves out other load."""
        return 'CPU time' if self._by_cpu else 'Wall time'

    @property
    def _by_cpu(self) -> bool:
        least = [each for each in self.deployments if each.threads == 1]
        return bool(least) and all(each.cpu for each in least)

    def seconds(self, line: Deployment) -> list[float]:
        """Return the seconds of one clip, one for each round."""
        return line.cpu if self._by_cpu else line.latencies

    def over_same_runtime(self, line: Deployment) -> Interval | None:
        """Return how many times as long the reference takes in the same runtime."""
        return self._ratio(self._reference(line.runtime), line)

    def over_best_runtime(self, line: Deployment) -> Interval | None:
        """Return how many times as long the reference takes in the runtime that suits it best."""
        return self._ratio(self.best, line)

    def over_first(self, line: Deployment) -> Interval | None:
        """Return how many times as long the first line takes."""
        return self._ratio(self.lines[0] if self.lines[:1] == list(self.deployments[:1]) else None, line)

    def over_pairs(self, line: Deployment) -> Interval | None:
        """Return how many times as long the reference takes in the same runtime, two clips together on both sides."""
        base = self._reference(line.runtime)
        return None if base is None else _interval(base.two, line.two)

    @property
    def best(self) -> Deployment | None:
        """The reference in the runtime that suits it best."""
        own = [each for each in self.lines if each.is_of(self.deployments[0].model)]
        return min(own, key=lambda each: median(self.seconds(each)), default=None)

    def int8_over_float(self) -> list[tuple[Deployment, Deployment, Interval]]:
        """Return for each line in int8 the fastest other line of the same model, and the time over that one's."""
        found = []
        for line in self.lines:
            others = [each for each in self.lines if each.is_of(line.of or line.model) and not each.in_int8]
            if line.in_int8 and others:
                other = min(others, key=lambda each: median(self.seconds(each)))
                ratio = self._ratio(line, other)
                found += [] if ratio is None else [(line, other, ratio)]
        return found

    def header(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        first = self.deployments[0]
        return (
            'model', 'runtime', 'one clip', 'x, same runtime', f'x, {first.model} in its best runtime',
            f'x, {first.model} in {first.runtime}', 'two together, each', 'x, two together, same runtime',
        )  # fmt: skip

    def cells(self, line: Deployment) -> tuple[str, ...]:
        """Return the row of one line."""
        two = [seconds / 2 for seconds in line.two]
        return (
            line.model,
            line.runtime,
            _shown_time(self.seconds(line)),
            shown(self.over_same_runtime(line)),
            shown(self.over_best_runtime(line)),
            shown(self.over_first(line)),
            _shown_time(two),
            shown(self.over_pairs(line)),
        )

    def title(self, processor: str) -> str:
        """Return what the ratios are, and of which machine."""
        threads = self.lines[0].threads
        best = self.best
        text = '' if best is None else f'; its best runtime is {best.runtime}'
        return (
            f'{self.clock} of one clip on {threads} thread{"s" * (threads != 1)}, and how many times as long '
            f'{self.deployments[0].model} takes (95 % interval){text}. Processor: {processor}'
        )

    def sentences(self) -> list[str]:
        """Return what int8 brings beside float and bf16."""
        return [
            f'{line.model} in {line.runtime} takes {shown(ratio)} times as long as {other.model} in '
            f'{other.runtime}, the fastest of its other runtimes.'
            for line, other, ratio in self.int8_over_float()
            if not _is_wide(ratio)
        ]

    def _reference(self, runtime: str) -> Deployment | None:
        name = self.deployments[0].model
        return next((each for each in self.lines if each.is_of(name) and each.runtime == runtime), None)

    def _ratio(self, base: Deployment | None, line: Deployment) -> Interval | None:
        return None if base is None else _interval(self.seconds(base), self.seconds(line))


def shown(interval: Interval | None) -> str:
    """Return a ratio with its interval; the ratio of a line to itself alone; none where the interval is too wide."""
    if interval is None:
        return EMPTY
    if _is_wide(interval):
        return NOT_MEASURED
    if interval.low == interval.high == 1:
        return '1'
    decimals = 1 if interval.median >= 10 else 2
    low, middle, high = (f'{value:.{decimals}f}' for value in (interval.low, interval.median, interval.high))
    return f'{middle} ({low} to {high})'


def _shown_time(seconds: Sequence[float]) -> str:
    if not seconds:
        return EMPTY
    interval = median_interval(seconds)
    return NOT_MEASURED if _is_wide(interval) else f'{interval.median * 1e3:.2f} ms'


def _is_wide(interval: Interval) -> bool:
    return max(interval.high - interval.median, interval.median - interval.low) > LOOSE * interval.median


def _interval(base: Sequence[float], line: Sequence[float]) -> Interval | None:
    """Return the ratio round by round; None where the two were not measured in the same rounds."""
    if not line or len(base) != len(line):
        return None
    return median_interval(paired_ratios(base, line))
