"""Results, one a line, each on disk as soon as it is there."""

import json
import os
import sys
from pathlib import Path
from types import TracebackType


class JsonLines:
    """Write objects, one a line; every line is flushed.

    Args:
        path: Of the file; the standard output by default.
        whole: Write under a temporary name, and give the file its own only when the block ends without an error.
    """

    def __init__(self, path: str | Path | None = None, whole: bool = False) -> None:
        self.path = Path(path) if path else None
        self._written = self.path
        if whole:
            self._written = self.path.with_name(f'.{self.path.name}.part')

    def __enter__(self) -> 'JsonLines':
        if self.path is None:
            self._file = sys.stdout
        else:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self._written, 'w', encoding='utf-8')
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.path is None:
            return
        if kind is None:
            os.fsync(self._file.fileno())
        self._file.close()
        if self._written != self.path:
            if kind is None:
                os.replace(self._written, self.path)
            else:
                self._written.unlink(missing_ok=True)

    def write(self, value: dict) -> None:
        """Write one object.

        Args:
            value: Ready for JSON.
        """
        self._file.write(json.dumps(value, ensure_ascii=False) + '\n')
        self._file.flush()
