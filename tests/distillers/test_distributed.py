import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def torchrun(*command, cwd=TESTS.parent):
    environment = dict(os.environ, PYTHONPATH=f'{TESTS}{os.pathsep}{TESTS.parent}', OMP_NUM_THREADS='1')
    result = subprocess.run(
        [
            sys.executable,
            '-m',
            'torch.distributed.run',
            '--nproc_per_node=2',
            '--master_port=0',
            '--standalone',
            *command,
        ],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp('ddp') / 'report.json'
    torchrun(str(TESTS / 'ddp_worker.py'), str(out))
    return json.loads(out.read_text())


@pytest.mark.slow
def test_two_ranks_have_the_gradients_of_one_process(report):
    assert report['worst'] < 1e-4


@pytest.mark.slow
def test_no_bucket_and_no_broadcast_holds_the_teacher(report):
    assert report['in_reducer'] == report['expected']
    assert report['sent'] > 0
    assert report['teacher_tensors_sent'] == 0


def test_the_training_state_is_that_of_rank_0_at_start(report):
    before, after = report['spread']
    assert before > 0.1
    assert after == 0


@pytest.mark.slow
def test_teachers_that_learn_have_the_gradients_of_one_process_and_one_state(report):
    learning = report['learning']
    assert learning['worst'] < 1e-4
    assert learning['spread'] == 0
    for name in ('average.model.cls_head', 'peer.cls_head', 'itself.0.classify'):
        assert any(key.startswith(f'teachers.{name}') for key in learning['moved']), name
