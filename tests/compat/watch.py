"""Sees, through Python's audit events, what a file that is read makes this process do."""

import sys
from pathlib import Path

from mmkd_video.benchmark.memory import peak_memory

ACTS = (
    'os.system',
    'os.exec',
    'os.posix_spawn',
    'os.spawn',
    'os.fork',
    'os.mkdir',
    'os.remove',
    'os.rename',
    'os.putenv',
)
CALLS = ('subprocess.Popen', 'shutil.', 'socket.connect', 'ctypes.', 'pickle.find_class')


class Watch:
    """Notes every act but writing to one path, from the moment that it is switched on.

    Args:
        path: That the watched program itself writes to.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.on, self.seen = str(path), False, []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple) -> None:
        if not self.on:
            return
        if event == 'open':
            name, mode = str(arguments[0]), str(arguments[1] or '')
            if set(mode) & set('wax+') and name != self.path:
                self.seen.append((event, name, mode))
        elif event.startswith((*ACTS, *CALLS)):
            self.seen.append((event, *map(str, arguments)))


def peak_megabytes() -> int:
    """Return the most memory that this process has held; ``getrusage`` would hand on what its parent had."""
    return peak_memory('cpu') // 2**20
