"""Whether a work dir may be trained in, asked by another process."""

import subprocess
import sys
from pathlib import Path

from mmkd_video.hooks.work_dir_lock import NAME

# The system's lock alone, without the package: importing that takes seconds.
ASK = """
import fcntl, sys
with open(sys.argv[1], 'r+') as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(3)
"""


def is_free(folder: Path) -> bool:
    """Return whether no other process holds a folder; a fork would take this process's own lock for its own."""
    lock = Path(folder) / NAME
    if not lock.exists():
        return True
    code = subprocess.run([sys.executable, '-S', '-c', ASK, str(lock)], timeout=120).returncode
    assert code in (0, 3)
    return code == 0
