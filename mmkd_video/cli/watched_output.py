"""The standard output of a tool, which remembers what could not be written."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any, TextIO


class WatchedOutput:
    """A stream that raises its errors as before, and keeps the last.

    What is printed may fail when it is printed or later, when a buffer is written; a logger may hold back the error.

    Args:
        stream: Standard output of the process.

    Attributes:
        error: Last error of writing; None while there was none.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Write a text.

        Args:
            text: Text that is printed.

        Raises:
            OSError: It could not be written.
        """
        with self._kept():
            return self._stream.write(text)

    def flush(self) -> None:
        """Write what is in the buffer.

        Raises:
            OSError: It could not be written.
        """
        with self._kept():
            self._stream.flush()

    def finish(self) -> OSError | None:
        """Write what is in the buffer, and give up the rest after an error, which would be raised again at exit.

        Returns:
            An error of writing; None where there was none since the beginning.
        """
        if self.error is None:
            with contextlib.suppress(OSError):
                self.flush()
        if self.error is not None:
            discard(self._stream)
        return self.error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = error
            raise


def discard(stream: TextIO) -> None:
    """Let what is in a stream's buffer, and all that follows, go nowhere.

    Args:
        stream: Stream that has a file descriptor.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
