"""Two nodes of two ranks train, validate and resume, and go on with another number of ranks."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import clips
import pytest
from killable_run import EPOCHS, final_state

HERE = Path(__file__).parent
pytestmark = pytest.mark.slow


def free_port():
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        return taken.getsockname()[1]


def run(videos, work_dir, record, nodes, ranks, resume=False):
    """Train with one torchrun for each node; return what they printed."""
    record.mkdir()
    settings = dict(kind='distiller', loop='epoch', workers=0, resume=resume, record=str(record))
    argument = json.dumps(dict(settings, videos=str(videos), work_dir=str(work_dir)))
    place = ['--master_addr=127.0.0.1', f'--master_port={free_port()}']
    paths = os.pathsep.join(map(str, [HERE, HERE.parent, HERE.parents[1]]))
    started = [
        subprocess.Popen(
            [sys.executable, '-m', 'torch.distributed.run', f'--nnodes={nodes}', f'--node_rank={node}', *place]
            + [f'--nproc_per_node={ranks}', str(HERE / 'ranked_run.py'), argument],
            cwd=work_dir.parent,
            env=dict(os.environ, PYTHONPATH=paths, OMP_NUM_THREADS='1'),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for node in range(nodes)
    ]
    said = [each.communicate(timeout=300)[0] for each in started]
    assert [each.returncode for each in started] == [0] * nodes, '\n'.join(said)[-3000:]
    return '\n'.join(said)


def samples_by_epoch(record):
    """Return what was trained on in each epoch, whatever rank did."""
    lines = [json.loads(line) for path in record.glob('*.jsonl') for line in path.read_text().splitlines()]
    return {epoch: sorted(tuple(rest) for at, *rest in lines if at == epoch) for epoch in {line[0] for line in lines}}


def test_training_goes_on_with_fewer_ranks_on_the_same_samples(tmp_path):
    videos = clips.make_set(tmp_path / 'clips', count=8)
    said = run(videos, tmp_path / 'run', tmp_path / 'four', nodes=2, ranks=2)
    assert said.count('acc/top1') >= EPOCHS  # validated
    four = samples_by_epoch(tmp_path / 'four')
    assert sorted(four) == list(range(EPOCHS)) and all(len(epoch) == 8 for epoch in four.values())
    assert final_state(tmp_path / 'run')[1][1] == EPOCHS  # of one batch on each rank

    resumed = Path(shutil.copytree(tmp_path / 'run', tmp_path / 'fewer'))
    (resumed / f'epoch_{EPOCHS}.pth').unlink()
    (resumed / 'last_checkpoint').write_text(str(resumed / f'epoch_{EPOCHS - 1}.pth'))
    said = run(videos, resumed, tmp_path / 'two', nodes=1, ranks=2, resume=True)
    assert 'Saved by 4 processes with 1 iterations an epoch; goes on with 2, 2 iterations an epoch.' in said
    assert samples_by_epoch(tmp_path / 'two') == {EPOCHS - 1: four[EPOCHS - 1]}
    assert final_state(resumed)[1][1] == 2 * EPOCHS
