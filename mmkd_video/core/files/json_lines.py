"""Results, one a line, each on disk as soon as it is there."""

import json
import os
import stat
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from mmkd_video.core.plain_data import Rule, read_json

LONGEST_LINE, LARGEST_FILE = 1 << 20, 1 << 28  # bytes that are read at all


def read_json_lines(path: str | Path, rule: Rule) -> tuple[list[Any], list[str]]:
    """Read what stands one a line; a line that is none, such as half a line of a writer that was killed, is skipped.

    Args:
        path: Path of the file.
        rule: Rule that each line must keep.

    Returns:
        The values, and what is wrong with each line that was skipped.

    Raises:
        OSError: The file cannot be read.
    """
    with open(path, 'rb') as file:
        lines = file.read(LARGEST_FILE).splitlines()
    found, wrong = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(read_json(line, rule, f'{path}:{number}', longest=LONGEST_LINE))
        except ValueError as error:
            wrong.append(str(error))
    return found, wrong


class JsonLines:
    """Write objects, one a line; a line is there as a whole or not at all, also where the disk is full.

    Args:
        path: Path of the file; the standard output by default.
        whole: Whether to write under :attr:`partial`, and to give the file its own name only when the block ends
            without an error; otherwise what was written stays there until the next time.
    """

    def __init__(self, path: str | Path | None = None, whole: bool = False) -> None:
        self.path = Path(path) if path else None
        self._written = self.path
        if whole:
            self._written = self.partial(self.path)

    @staticmethod
    def partial(path: Path) -> Path:
        """Return where the lines of a file are that is not whole: ``a.partial.jsonl`` for ``a.jsonl``."""
        return path.with_name(f'{path.stem}.partial{path.suffix}')

    def __enter__(self) -> 'JsonLines':
        if self.path is None:
            self._file = sys.stdout
        else:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self._written, 'wb', buffering=0)
            self._regular = stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.path is None:
            return
        with self._file:
            if kind is None and self._regular:
                os.fsync(self._file.fileno())
        if self._written != self.path:
            if kind is None:
                os.replace(self._written, self.path)
            elif not self._written.stat().st_size:
                self._written.unlink()

    def write(self, value: dict) -> None:
        """Write one object.

        Args:
            value: Object that JSON can hold.

        Raises:
            OSError: It could not be written.
        """
        line = json.dumps(value, ensure_ascii=False) + '\n'
        if self.path is None:
            self._file.write(line)
            self._file.flush()
            return
        rest, end = memoryview(line.encode()), self._file.tell() if self._regular else 0
        try:
            while rest:  # a disk that becomes full takes a part
                rest = rest[self._file.write(rest) :]
        except OSError:
            if self._regular:
                self._file.truncate(end)
            raise
