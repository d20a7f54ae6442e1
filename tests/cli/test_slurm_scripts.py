"""The scripts for Slurm hand srun what MMAction2's do."""

import os
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / 'tools'


def run(tmp_path, script, *arguments, **environment):
    """Run a script with an srun that prints its arguments and the port."""
    srun = tmp_path / 'srun'
    srun.write_text('#!/usr/bin/env bash\nprintf "%s\\n" "$MASTER_PORT" "$@"\n')
    srun.chmod(0o755)
    path = f'{tmp_path}{os.pathsep}{os.environ["PATH"]}'
    return subprocess.run(
        [TOOLS / script, *arguments], env=dict(environment, PATH=path), capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ('script', 'own'), [('slurm_train.sh', ['a config.py']), ('slurm_test.sh', ['a config.py', 'last.pth'])]
)
def test_srun_gets_tasks_and_our_tool(tmp_path, script, own):
    done = run(tmp_path, script, 'short', 'my job', *own, '--seed', '1', GPUS='16', SRUN_ARGS='--quiet --mem=8G')
    assert done.returncode == 0, done.stderr
    port, *words = done.stdout.splitlines()
    assert 12000 <= int(port) < 32000
    tool = TOOLS / script.replace('slurm_', '').replace('.sh', '.py')
    assert words == [
        *('--partition=short', '--job-name=my job', '--gres=gpu:8', '--ntasks=16', '--ntasks-per-node=8'),
        *('--cpus-per-task=5', '--kill-on-bad-exit=1', '--quiet', '--mem=8G', 'python', '-u', str(tool), own[0]),
        *(own[1:] + ['--launcher', 'slurm', '--seed', '1']),
    ]


@pytest.mark.parametrize(('script', 'given'), [('slurm_train.sh', 2), ('slurm_test.sh', 3)])
def test_missing_arguments_are_told(tmp_path, script, given):
    done = run(tmp_path, script, *['x'] * given)
    assert done.returncode == 2 and done.stderr.startswith(f'usage: tools/{script} PARTITION JOB CONFIG ')
