"""A status line on a terminal."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.control import Control, ControlType
from rich.text import Text

MIN_SECONDS = 0.2  # seconds that a text stands; nobody reads faster
CLEAR_LINE = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))


class StatusLine:
    """A line on the standard error that is replaced again and again; nothing where that is no terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self.active = sys.stderr.isatty() and not self._console.is_dumb_terminal
        self._shown, self._text = 0.0, Text()

    def __enter__(self) -> 'StatusLine':
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.clear()

    def show(self, text: str) -> None:
        """Replace the text, if the one before was shown long enough.

        Args:
            text: One line; what is too long for the terminal is cut.
        """
        if not self.active:
            return
        if time.monotonic() - self._shown >= MIN_SECONDS:
            self._shown, self._text = time.monotonic(), Text(text)
            self._text.truncate(self._console.width - 1, overflow='ellipsis')
        self._console.control(CLEAR_LINE)
        self._console.print(self._text, end='', no_wrap=True)

    def clear(self) -> None:
        """Clear the line, so that something else can be written."""
        if self.active:
            self._console.control(CLEAR_LINE)
