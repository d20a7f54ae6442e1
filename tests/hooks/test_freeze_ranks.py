"""Two ranks unfreeze alike, go on exchanging gradients, and resume."""

import os
import subprocess
import sys
from pathlib import Path

import clips
import pytest
from killable_run import assert_same, final_state

HERE = Path(__file__).parent
pytestmark = pytest.mark.slow


def run(videos, work_dir, resume='anew'):
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2', '--standalone']
    paths = os.pathsep.join(map(str, [HERE, HERE.parent, HERE.parents[1]]))
    done = subprocess.run(
        [*command, str(HERE / 'freeze_ranks.py'), str(videos), str(work_dir), resume],
        env=dict(os.environ, PYTHONPATH=paths, OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count('the ranks agree') == 2


def test_two_ranks_unfreeze_alike_and_resume(tmp_path):
    videos, folder = clips.make_set(tmp_path / 'clips', count=8), tmp_path / 'run'
    run(videos, folder)
    expected, _ = final_state(folder)
    (folder / 'epoch_3.pth').unlink()
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_2.pth'))
    run(videos, folder, 'resume')
    assert_same(final_state(folder)[0], expected)
