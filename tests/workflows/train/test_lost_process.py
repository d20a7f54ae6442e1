"""A process of a training ends; the others say so, and what to run."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mmkd_video.compat import gloo_exit
from mmkd_video.core.mistakes import WorkFailedError
from mmkd_video.workflows.train import lost_process
from mmkd_video.workflows.train.lost_process import told_of_a_lost_process

TOOL = Path(__file__).resolve().parents[3] / 'tools/train.py'
DIES = """
import os, signal
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmkd_video.core.registry import HOOKS

@HOOKS.register_module()
class Dies(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if get_rank() == 1 and runner.iter == 3:
            os.kill(os.getpid(), signal.SIGKILL)
"""
SAID = [
    '[pair.cc:537] Read error [127.0.0.1]:29579: Connection reset by peer. This is typically caused by',
    '[pair.cc:547] Connection closed by peer [127.0.0.1]:1',
    '[unbound_buffer.cc:81] Timed out waiting 1800000ms for recv operation to complete',
]


@pytest.fixture
def ranks(monkeypatch):
    left = []
    monkeypatch.setattr(lost_process, 'get_world_size', lambda: 4)
    monkeypatch.setattr(lost_process, 'get_rank', lambda: 2)
    monkeypatch.setattr(gloo_exit, 'leave_without_the_others', lambda: left.append(True))
    return left


@pytest.mark.parametrize('said', SAID)
def test_a_lost_connection_is_told_with_what_to_run(ranks, tmp_path, said):
    with (
        pytest.raises(WorkFailedError, match=r'rank 2: .*another of the 4 processes.*There is no checkpoint in .* yet'),
        told_of_a_lost_process(tmp_path),
    ):
        raise RuntimeError(said)
    (tmp_path / 'last_checkpoint').write_text('epoch_1.pth')
    with pytest.raises(WorkFailedError, match='--resume'), told_of_a_lost_process(tmp_path):
        raise RuntimeError(said)
    assert ranks == [True, True]


def test_other_errors_are_raised_as_they_are(ranks, tmp_path, monkeypatch):
    for error in (RuntimeError('shape mismatch'), WorkFailedError(SAID[0]), ConnectionResetError(SAID[0])):
        with pytest.raises(type(error)) as raised, told_of_a_lost_process(tmp_path):
            raise error
        assert raised.value is error
    monkeypatch.setattr(lost_process, 'get_world_size', lambda: 1)
    with pytest.raises(RuntimeError, match='pair.cc'), told_of_a_lost_process(tmp_path):
        raise RuntimeError(SAID[0])
    assert ranks == []


@pytest.mark.slow
def test_the_other_node_ends_when_a_process_is_killed(tiny):
    (tiny.folder / 'dies.py').write_text(DIES)
    config = tiny.student.read_text()
    (tiny.folder / 'dying.py').write_text(
        f"{config}\ncustom_imports = dict(imports=['mmkd_video', 'dies'])\ncustom_hooks = [dict(type='Dies')]\n"
        "train_dataloader['batch_size'] = 2\nenv_cfg = dict(dist_cfg=dict(backend='gloo'))\n"
    )
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        port = taken.getsockname()[1]
    place = ['--nnodes=2', '--nproc_per_node=1', '--master_addr=127.0.0.1', f'--master_port={port}']
    nodes = [
        subprocess.Popen(
            [sys.executable, '-m', 'torch.distributed.run', *place, f'--node_rank={node}']
            + [str(TOOL), 'dying.py', '--launcher', 'pytorch', '--work-dir', 'out'],
            cwd=tiny.folder,
            env=tiny.environment(PYTHONPATH=os.pathsep.join([str(TOOL.parents[1]), str(tiny.folder)])),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for node in range(2)
    ]
    said = [node.communicate(timeout=300)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [1, 1]
    assert 'SIGKILL' in said[1] and 'error: rank' not in said[1]
    (line,) = [line for line in said[0].splitlines() if line.startswith('error: ')]
    assert line.startswith('error: rank 0: the connection to another of the 2 processes broke')
    assert line.endswith('Run the same command with --resume: it goes on from the last checkpoint in out.')
    assert '[rank0]: Traceback' not in said[0] and 'exitcode  : 1 ' in said[0]
