"""Progress with the time left: a bar on a terminal, otherwise a line now and then."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_SECONDS = 15.0  # seconds between lines where no terminal shows a bar


class CountingProgress:
    """Progress over about as many steps as are expected, on the standard error.

    Args:
        steps: Number of steps that are expected; there may be fewer, or more.
    """

    def __init__(self, steps: int) -> None:
        console = Console(stderr=True)
        columns = TextColumn('counting: {task.description}'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
        self._task = self._bar.add_task('as it is', total=steps)
        self._lines = not console.is_terminal
        self._steps, self._done, self._part = steps, 0, 'as it is'
        self._began = self._told = time.monotonic()
        self._counted = 0

    def __enter__(self) -> 'CountingProgress':
        self._bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def begin(self, part: str, done: int) -> None:
        """Begin a part.

        Args:
            part: Name of the part.
            done: Number of steps that were expected before it.
        """
        self._part, self._done = part, max(done, 1)
        self._bar.update(self._task, description=part, completed=done)

    def step(self) -> None:
        """Count one step."""
        self._counted += 1
        self._done = min(self._done + 1, self._steps - 1)
        self._bar.update(self._task, completed=self._done)
        now = time.monotonic()
        if self._lines and now - self._told >= LINE_SECONDS:
            self._told = now
            left = (now - self._began) / self._done * (self._steps - self._done)
            minutes, seconds = divmod(round(left), 60)
            print(
                f'counting: {self._part}, {self._counted} shapes so far, about {minutes}:{seconds:02d} left',
                file=sys.stderr,
                flush=True,
            )
