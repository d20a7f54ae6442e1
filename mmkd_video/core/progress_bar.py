"""Progress of a tool: a bar on a terminal, otherwise a line now and then."""

import sys
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PrintRule = Callable[[int, int], bool]
"""Whether a line is printed where no terminal shows the bar, given (done, in all)."""


def never(done: int, total: int) -> bool:
    """Print no line."""
    return False


def at_each_tenth(done: int, total: int) -> bool:
    """Print a line for every tenth that is done."""
    return 10 * done // total != 10 * (done - 1) // total


def at_every_fifth(done: int, total: int) -> bool:
    """Print a line at 5, 10, 15 and so on."""
    return done % 5 == 0


class ProgressBar:
    """A bar on the standard error, from the first call until the block ends.

    Args:
        what: Name of the work, such as ``'rendering'``.
        unit: Unit that is counted, shown behind the numbers.
        print_rule: Function that says when to print a line where there is no terminal.
    """

    def __init__(self, what: str, unit: str = '', print_rule: PrintRule = never) -> None:
        self._what, self._unit, self._print_rule = what, unit and f' {unit}', print_rule
        self._shown = sys.stderr.isatty()
        columns = TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TextColumn(unit)
        self._bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(what)

    def __enter__(self) -> 'ProgressBar':
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._shown:
            self._bar.stop()

    def __call__(self, done: int, total: int, part: str = '') -> None:
        """Show the progress.

        Args:
            done: Number of items that are done.
            total: Number of all items; it may change from call to call.
            part: Name of the part of the work that they belong to.
        """
        description = f'{part}: {self._what}' if part else self._what
        if self._shown:
            self._bar.start()
            self._bar.update(self._task, description=description, completed=done, total=total)
        elif self._print_rule(done, total):
            print(f'{description} {done}/{total}{self._unit}', file=sys.stderr)
