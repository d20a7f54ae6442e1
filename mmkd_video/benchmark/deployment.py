"""The costs of a model in a runtime, and its accuracy."""

from dataclasses import dataclass, field
from statistics import median

from mmkd_video.benchmark.report import NOT_MEASURED

HEADER = (
    'model', 'runtime', 'threads', 'latency', 'p90', 'clips/s', 'x', 'batched/s', 'memory', 'size', 'params', 'GFLOPs',
    'top-1',
)  # fmt: skip


@dataclass
class Deployment:
    """One model in one runtime.

    Attributes:
        model: Name of the model.
        runtime: Name of the runtime, such as ``'eager'`` or ``'openvino int8'``.
        threads: Number of CPU threads.
        latencies: Seconds of one clip on all threads, each measured once; none where other load forbade to measure
            them, as in ``throughputs`` and ``side_by_side``.
        throughputs: Clips a second in batches, each measured once.
        file_bytes: Bytes of the file that is shipped.
        params: Number of parameters, where they are known.
        gflops: GFLOPs of one clip (a multiply-add is one), where they are known.
        accuracy: Top-1 on test, 0 to 1, where it was measured.
        memory: Bytes that opening and running the model added to a process that had loaded the libraries.
        side_by_side: Single clips a second with as many clips at once as threads, one thread each, each measured once;
            empty where it was not measured.
        cpu: CPU seconds of one clip, all threads together, each measured once.
        two: CPU seconds of two clips together, each measured once.
        of: The model of whose weights a file was made, where it has another name.
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
    cpu: list[float] = field(default_factory=list)
    two: list[float] = field(default_factory=list)
    of: str | None = None

    @property
    def in_int8(self) -> bool:
        """Whether it runs in int8."""
        return self.runtime.endswith('int8')

    def is_of(self, model: str) -> bool:
        """Return whether it is a model, or a file of it."""
        return model in (self.model, self.of)

    @property
    def latency(self) -> float | None:
        """Median of the latencies, in seconds; None where other load forbade to measure it."""
        return median(self.latencies) if self.latencies else None

    @property
    def p90(self) -> float | None:
        """The latency that nine in ten clips keep to, in seconds; None as above."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))] if ordered else None

    @property
    def rates(self) -> list[float]:
        """Single clips a second, each measured once: of what :attr:`clips_per_second` chooses."""
        one_by_one = [1 / seconds for seconds in self.latencies]
        if self.side_by_side and (not one_by_one or median(self.side_by_side) > median(one_by_one)):
            return self.side_by_side
        return one_by_one

    @property
    def clips_per_second(self) -> float | None:
        """Single clips, whichever is more: one after the other on all threads, or side by side on one thread each."""
        return median(self.rates) if self.rates else None

    @property
    def batched_per_second(self) -> float | None:
        """Clips a second in batches."""
        return median(self.throughputs) if self.throughputs else None

    def cells(self, baseline: 'Deployment') -> tuple[str, ...]:
        """Return the line of the table.

        Args:
            baseline: Deployment whose single clips a second are 1 x.
        """
        rate, base = self.clips_per_second, baseline.clips_per_second
        return (
            self.model,
            self.runtime,
            str(self.threads),
            shown(self.latency, 1e3, '.2f', ' ms', NOT_MEASURED),
            shown(self.p90, 1e3, '.2f', ' ms'),
            shown(rate, 1, '.0f'),
            shown(rate / base if rate and base else None, 1, '.1f'),
            shown(self.batched_per_second, 1, '.0f'),
            shown(self.memory, 1e-6, '.0f', ' MB'),
            shown(self.file_bytes, 1e-6, '.2f', ' MB'),
            shown(self.params, 1e-6, '.2f', ' M'),
            shown(self.gflops, 1, '.3f'),
            shown(self.accuracy, 100, '.2f'),
        )


def shown(value: float | None, factor: float, format_spec: str, unit: str = '', missing: str = '-') -> str:
    """Return a number in the unit of a table; a text where there is none."""
    return missing if value is None else f'{value * factor:{format_spec}}{unit}'
