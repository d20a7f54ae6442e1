"""Whether a work dir may be trained in, asked by another process."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ASK = """
import sys
sys.path.insert(0, sys.argv[2])
from mmkd_video.hooks.work_dir_lock import hold_work_dir
try:
    hold_work_dir(sys.argv[1])
except BlockingIOError:
    sys.exit(3)
"""


def is_free(folder: Path) -> bool:
    """Return whether no other process holds a folder; a fork would take this process's own lock for its own."""
    code = subprocess.run([sys.executable, '-c', ASK, str(folder), str(ROOT)], timeout=120).returncode
    assert code in (0, 3)
    return code == 0
