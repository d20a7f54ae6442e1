"""Two ranks adapt to a target together, also while a term waits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_domain_losses import videos  # noqa: F401  the clips of both domains

HERE = Path(__file__).parent
pytestmark = pytest.mark.slow


def test_two_ranks_stay_alike(videos, tmp_path):  # noqa: F811
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2', '--standalone']
    paths = os.pathsep.join(map(str, [HERE, HERE.parent, HERE.parents[1]]))
    done = subprocess.run(
        [*command, str(HERE / 'adapted_ranks.py'), str(videos), str(tmp_path / 'run')],
        env=dict(os.environ, PYTHONPATH=paths, OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count('the ranks agree') == 2
