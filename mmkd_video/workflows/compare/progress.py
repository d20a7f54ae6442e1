"""The progress of a comparison, and the time that it will take."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from mmkd_video.workflows.compare.runs import Run
from mmkd_video.workflows.train.run_folder import LOG

EVERY = 60.0  # seconds between lines where there is no terminal
LOOKED = 4096  # bytes at the end of a log
_EPOCH = re.compile(r'Epoch\(train\)\s+\[(\d+)\]\[\s*(\d+)/\s*(\d+)\]')
_ITERATION = re.compile(r'Iter\(train\)\s+\[\s*(\d+)/\s*(\d+)\]')


@dataclass
class _Started:
    at: float
    fraction: float | None = None  # of the training, when it was first seen
    latest: float = 0.0  # the same, when it was last seen: the end of the log of a test says nothing of training


class Progress:
    """Counts runs and their time.

    Args:
        total: Runs in all, finished ones included.
        jobs: Number of runs at a time.
        clock: Seconds.
    """

    def __init__(self, total: int, jobs: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.total, self._jobs, self._clock = total, jobs, clock
        self.done = self.later = 0  # later: runs that are not known yet, beside the total
        self._going: dict[str, tuple[Run, _Started]] = {}
        self._took: dict[str, list[float]] = {}  # seconds of finished runs, by arm
        self._elsewhere: set[str] = set()
        self._said = clock()

    def expect(self, more: int) -> None:
        """Add runs that were not known at the start.

        Args:
            more: Number of further runs.
        """
        self.total += more

    def started(self, run: Run) -> None:
        """Note that a run began."""
        self._going[run.title] = (run, _Started(self._clock()))

    def runs_elsewhere(self, run: Run) -> None:
        """Print once that another process works on a run."""
        if run.title not in self._elsewhere:
            self._elsewhere.add(run.title)
            print(f'{run.title}: another process is training in {run.folder.path}; waiting for it', flush=True)

    def ended(self, run: Run, began_here: bool) -> None:
        """Note that a run ended.

        Args:
            run: The run.
            began_here: Whether its time tells how long others will take.
        """
        self.done += 1
        known = self._going.pop(run.title, None)
        if known is not None and began_here and (known[1].fraction or 0) < 0.1:
            self._took.setdefault(run.arm, []).append(self._clock() - known[1].at)

    def line(self) -> str:
        """Return one line: how many are done, what runs, and the time that is left."""
        shown, parts = [], self._parts()
        for run, fraction, _ in parts:
            shown.append(f'{run.title} {100 * fraction:.0f} %')
        left = self.seconds_left(parts)
        time_left = f', about {in_words(left)} left' if left is not None else ''
        return f'{self.done} of {self.total + self.later} runs{time_left}' + (f': {"; ".join(shown)}' if shown else '')

    def print_once_a_minute(self, terminal: bool) -> None:
        """Print the line once a minute where no terminal shows it.

        Args:
            terminal: Whether one does.
        """
        if not terminal and self._clock() - self._said >= EVERY:
            self._said = self._clock()
            print(self.line(), flush=True)

    def seconds_left(self, parts: list[tuple[Run, float, float | None]] | None = None) -> float | None:
        """Return how long all will take; None before anything can be said.

        Args:
            parts: Runs that are going, the fraction done and the seconds each has left.
        """
        parts = self._parts() if parts is None else parts
        lefts = [left for _, _, left in parts if left is not None]
        took = [seconds for each in self._took.values() for seconds in each]
        whole = [left / max(1 - fraction, 1e-6) for _, fraction, left in parts if left is not None]
        if not took and not whole:
            return None
        usual = sum(took or whole) / len(took or whole)
        unknown = len(parts) - len(lefts)
        ahead = self.total + self.later - self.done - len(parts)
        return max((sum(lefts) + (unknown + ahead) * usual) / self._jobs, max(lefts, default=0.0))

    def _parts(self) -> list[tuple[Run, float, float | None]]:
        """Return runs that are going, the fraction that each has done, and the seconds that it has left."""
        found = []
        for run, started in self._going.values():
            fraction = started.latest = max(trained_fraction(run), started.latest)
            if started.fraction is None:
                started.fraction = fraction
            gained = fraction - (started.fraction or 0.0)
            spent = self._clock() - started.at
            found.append((run, fraction, spent / gained * (1 - fraction) if gained > 0.02 else None))
        return found


def trained_fraction(run: Run) -> float:
    """Return the share of its training that a run has done, 0 to 1, read from its log."""
    path = run.folder.path / LOG
    try:
        with open(path, 'rb') as file:
            file.seek(max(0, path.stat().st_size - LOOKED))
            text = file.read().decode(errors='replace')
    except OSError:
        return 0.0
    found, epochs = _EPOCH.findall(text), run.folder.config.get('train_cfg', {}).get('max_epochs')
    if found and epochs:
        epoch, step, steps = map(int, found[-1])
        return min(1.0, (epoch - 1 + step / steps) / epochs)
    found = _ITERATION.findall(text)
    return int(found[-1][0]) / int(found[-1][1]) if found else 0.0


def in_words(seconds: float) -> str:
    """Return a duration for a person: ``40 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f'{round(seconds)} s'
    minutes = round(seconds / 60)
    return f'{minutes} min' if minutes < 90 else f'{minutes // 60} h {minutes % 60} min'
