"""Whether other programs use the processors while something is timed."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import quantiles

CPU_STATISTICS = Path('/proc/stat')
MOST_BY_OTHERS = 0.1
LEAST_CPU_SHARE = 0.9
WINDOW_SECONDS = 1.0
SHORTEST_WINDOW = 0.2
MOST_SPREAD, FEWEST_FOR_SPREAD = 0.3, 8  # between quartiles, of the median; an idle machine stays below 0.15
BUSY_COLUMNS = (1, 2, 3, 6, 7, 8)  # of a line of /proc/stat: user, nice, system, interrupts, and what a host took


class LoadWatch:
    """A watch for other load on the processors, by two signs.

    The system's account of busy processors, less what the measured processes used themselves; and CPU time that stays
    behind wall time, as it does where the measured calls wait for a processor. The first is looked at in windows of a
    second: it is counted in hundredths of a second.

    Args:
        cpu_time: Function that gives the CPU seconds that the measured processes have used so far.
        busy: Seconds that the processors have been busy so far, all together; it gives None where the system does not
            tell.
        clock: Function that gives the time in seconds.
        processors: Number of processors that count; those that this process may use by default.

    Attributes:
        shares: Shares of the processors' time that others used, 0 to 1, in each window in which the system reported it.
        lags: Ratios of CPU time to wall time of the measured calls in each window.
        windows: Number of windows that were looked at.
        disturbed: Number of those that other load disturbed.
        gave_up: Whether there were too few without other load.
    """

    def __init__(
        self,
        cpu_time: Callable[[], float] = time.process_time,
        busy: Callable[[], float | None] | None = None,
        clock: Callable[[], float] = time.perf_counter,
        processors: int | None = None,
    ) -> None:
        self.cpu_time, self.busy, self.clock = cpu_time, busy or busy_seconds, clock
        self.processors = processors or len(usable_processors())
        self.shares: list[float] = []
        self.lags: list[float] = []
        self.windows = self.disturbed = 0
        self.gave_up = False
        self.begin()

    def begin(self) -> None:
        """Begin a window."""
        self._start, self._busy, self._cpu = self.clock(), self.busy(), self.cpu_time()
        self._calls_wall = self._calls_cpu = 0.0

    def count_call(self, wall: float, cpu: float) -> None:
        """Count a measured call that was long enough.

        Args:
            wall: Seconds that passed in it.
            cpu: CPU seconds that it used.
        """
        self._calls_wall += wall
        self._calls_cpu += cpu

    @property
    def due(self) -> bool:
        """Whether the window is long enough to be judged."""
        return self.clock() - self._start >= WINDOW_SECONDS

    def end(self) -> bool:
        """End the window, begin the next one, and return whether other load disturbed it."""
        elapsed, now = self.clock() - self._start, self.busy()
        disturbed = False
        if now is not None and self._busy is not None and elapsed >= SHORTEST_WINDOW:
            others = now - self._busy - (self.cpu_time() - self._cpu)
            self.shares.append(min(1.0, max(0.0, others / (elapsed * self.processors))))
            disturbed = self.shares[-1] > MOST_BY_OTHERS
        if self._calls_wall > 0:
            self.lags.append(self._calls_cpu / self._calls_wall)
            disturbed = disturbed or self.lags[-1] < LEAST_CPU_SHARE
        self.windows += 1
        self.disturbed += disturbed
        self.begin()
        return disturbed

    def __str__(self) -> str:
        text = f'others used {max(self.shares):.0%} of {self.processors} processors at most' if self.shares else ''
        if text and self.disturbed and not self.gave_up:
            text += f'; what was measured beside more than {MOST_BY_OTHERS:.0%} was measured again'
        elif not text:
            text = 'what others used of the processors is not known here'
        if self.gave_up:
            return f'{text}; wall times are left out, CPU times hold as far as their intervals tell'
        return text


def unsteady(values: Sequence[float]) -> bool:
    """Return whether repeated measurements are spread so far that something else disturbed them.

    Args:
        values: Wall times; fewer than eight are never unsteady.
    """
    if len(values) < FEWEST_FOR_SPREAD:
        return False
    lower, middle, upper = quantiles(values, n=4)
    return upper - lower > MOST_SPREAD * middle


def busy_seconds() -> float | None:
    """Return for how many seconds the processors that this process may use have been busy; None where not known."""
    try:
        lines = CPU_STATISTICS.read_text().splitlines()
    except OSError:
        return None
    names = {f'cpu{index}' for index in usable_processors()}
    ticks = [line.split() for line in lines if line.split(maxsplit=1)[:1] and line.split(maxsplit=1)[0] in names]
    return (
        sum(int(each[column]) for each in ticks for column in BUSY_COLUMNS) / os.sysconf('SC_CLK_TCK')
        if ticks
        else None
    )


def usable_processors() -> list[int]:
    """Return the numbers of the processors that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
