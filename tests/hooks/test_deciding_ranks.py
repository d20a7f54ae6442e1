"""Hooks that decide by losses and metrics decide alike on every rank."""

import json
import os
import subprocess
import sys
from pathlib import Path

import clips
import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.slow
def test_two_ranks_decide_alike(tmp_path):
    videos = clips.make_set(tmp_path / 'clips', count=8)
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2', '--master_port=0', '--standalone']
    inherited = os.environ.get('PYTHONPATH', '')
    paths = os.pathsep.join([*filter(None, [inherited]), str(TESTS), str(TESTS.parent)])
    environment = dict(os.environ, PYTHONPATH=paths, OMP_NUM_THREADS='1')
    command += [str(TESTS / 'deciding_ranks.py'), str(videos), str(tmp_path / 'work')]
    done = subprocess.run(command, cwd=TESTS.parent, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    found = [json.loads((tmp_path / 'work' / f'rank{rank}.json').read_text()) for rank in (0, 1)]
    assert found[0] == found[1]
    # each rank saw other clips: only the mean over both is the same
    assert found[0]['judged']['fitnet']['best'] > 0 and found[0]['judged']['fitnet']['end'] == 2
    assert len(found[0]['chain']['trials']) == 1
