"""Two ranks quantize alike and train the same ranges."""

import os
import subprocess
import sys
from pathlib import Path

import clips
import pytest
import torch

from mmkd_video.quantization import CHECKPOINT_KEY

HERE = Path(__file__).parent
pytest.importorskip('nncf')


@pytest.mark.slow
def test_two_ranks_quantize_alike(tmp_path):
    videos, folder = clips.make_set(tmp_path / 'clips', count=8), tmp_path / 'run'
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2', '--standalone']
    paths = os.pathsep.join(map(str, [HERE, HERE.parent, HERE.parents[1]]))
    done = subprocess.run(
        [*command, str(HERE / 'qat_ranks.py'), str(videos), str(folder)],
        env=dict(os.environ, PYTHONPATH=paths, OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count('the ranks agree on') == 2
    assert CHECKPOINT_KEY in torch.load(folder / 'epoch_2.pth', weights_only=True)
