"""What a stream has done so far."""

import time
from collections import deque
from dataclasses import dataclass, field

import numpy as np

REMEMBERED_LATENCIES = 1000  # latencies: a camera that runs for weeks must not fill the memory


@dataclass
class StreamStatistics:
    """Counters of one stream; each is written by one thread only.

    ``windows`` and the times are written by whoever iterates, ``interrupted`` by whoever stops the stream, the others
    by the reader.

    Attributes:
        frames: Pictures that were grabbed.
        corrupt: Pictures that could not be decoded, and were left out.
        resizes: Changes of the pictures' size.
        windows: Windows whose scores are there.
        dropped: Windows that were dropped.
        losses: Number of times that the source was lost.
        lost: Whether it was given up.
        interrupted: Whether somebody stopped the stream.
    """

    frames: int = 0
    corrupt: int = 0
    resizes: int = 0
    windows: int = 0
    dropped: int = 0
    losses: int = 0
    lost: bool = False
    interrupted: bool = False
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None
    _latencies: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED_LATENCIES))

    def add_latency(self, seconds: float) -> None:
        """Note how long a window took from its last picture to its scores."""
        self.windows += 1
        self._latencies.append(seconds)

    def latency(self, quantile: float) -> float:
        """Return a quantile of the last 1000 latencies, in seconds; 0 before the first.

        Args:
            quantile: 0 to 1; 0.5 is the median.
        """
        return float(np.quantile(self._latencies, quantile)) if self._latencies else 0.0

    @property
    def seconds(self) -> float:
        """How long the stream has run."""
        return max((time.monotonic() if self.ended is None else self.ended) - self.began, 1e-9)

    @property
    def fps(self) -> float:
        """Pictures per second, since the beginning."""
        return self.frames / self.seconds

    def short(self) -> str:
        """Return what a person watches: speed, latency, losses."""
        latency = f'{self.latency(0.5) * 1e3:.0f} ms (p90 {self.latency(0.9) * 1e3:.0f})'
        return f'{self.fps:.0f} fps | {latency} | {self.dropped} dropped | {self.corrupt} corrupt'

    def __str__(self) -> str:
        counts = f'{self.windows} windows, {self.dropped} dropped, {self.frames} frames, {self.corrupt} corrupt'
        if self.losses:
            counts += f', source lost {self.losses} times'
        latency = f'latency {self.latency(0.5) * 1e3:.1f} ms (p90 {self.latency(0.9) * 1e3:.1f})'
        return f'{counts}, {self.fps:.1f} fps, {latency}'
