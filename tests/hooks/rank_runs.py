"""Programs of two gloo processes that resume, and say in the end whether their models are one."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def run_ranks(program, videos, work_dir, resume='anew'):
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2', '--standalone']
    paths = os.pathsep.join(map(str, [HERE, HERE.parent, HERE.parents[1]]))
    done = subprocess.run(
        [*command, str(HERE / program), str(videos), str(work_dir), resume],
        env=dict(os.environ, PYTHONPATH=paths, OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count('the ranks agree') == 2
