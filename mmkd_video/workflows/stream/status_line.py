"""One line that changes, for a person who watches."""

import shutil
import sys
import time
from types import TracebackType

EVERY = 0.2  # seconds; faster than this nobody reads


class StatusLine:
    """A line at the bottom of a terminal, on the standard error; nothing where that is no terminal."""

    def __init__(self) -> None:
        self.active = sys.stderr.isatty()
        self._shown, self._text = 0.0, ''

    def __enter__(self) -> 'StatusLine':
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.clear()

    def show(self, text: str) -> None:
        """Show a text instead of the one before, if that has stood long enough.

        Args:
            text: One line; what is too long for the terminal is cut.
        """
        if not self.active:
            return
        if time.monotonic() - self._shown >= EVERY:
            self._shown, self._text = time.monotonic(), text[: shutil.get_terminal_size().columns - 1]
        sys.stderr.write(f'\r{self._text}\x1b[K')
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away, so that something else can be written."""
        if self.active:
            sys.stderr.write('\r\x1b[K')
            sys.stderr.flush()
