"""CPU seconds of this process and all its children, which other load on the machine hardly changes."""

import os
import time
from pathlib import Path

PROC = Path('/proc')


def cpu_seconds() -> float:
    """Return the CPU seconds, user and system, of this process, its living descendants, and its children that ended.

    Living descendants are seen on Linux only; elsewhere a loader's workers count once they have ended.
    """
    ended = os.times()
    return time.process_time() + ended.children_user + ended.children_system + _living(os.getpid())


def _living(parent: int) -> float:
    total = 0.0
    for child in _children(parent):
        try:
            # The name, in brackets, may hold spaces. Times: user, system, and both of children that ended.
            times = (PROC / str(child) / 'stat').read_text().rpartition(')')[2].split()[11:15]
        except OSError:  # it ended meanwhile
            continue
        total += sum(map(int, times)) / os.sysconf('SC_CLK_TCK') + _living(child)
    return total


def _children(parent: int) -> list[int]:
    found: list[int] = []
    for path in (PROC / str(parent) / 'task').glob('*/children'):
        try:
            found += map(int, path.read_text().split())
        except OSError:  # a thread that ended meanwhile
            continue
    return found
