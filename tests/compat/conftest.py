"""A fresh interpreter for each claim: a break is shown without mmkd_video, health with it."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run_python():
    """Run code in a fresh interpreter that does not import mmkd_video unless the code does; returns the process."""

    def run(code: str, *, path: tuple[str, ...] = (), **env: str) -> subprocess.CompletedProcess:
        python_path = os.pathsep.join([*path, str(ROOT)])
        environment = {**os.environ, 'OMP_NUM_THREADS': '1', **env, 'PYTHONPATH': python_path}
        return subprocess.run(
            [sys.executable, '-W', 'ignore', '-c', textwrap.dedent(code)],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


@pytest.fixture
def run_two_ranks(tmp_path):
    """Run code in two processes under the launcher of torch; returns the finished launcher."""

    def run(code: str, **env: str) -> subprocess.CompletedProcess:
        script = tmp_path / 'ranks.py'
        script.write_text(textwrap.dedent(code))
        command = [sys.executable, '-W', 'ignore', '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2']
        environment = {**os.environ, 'OMP_NUM_THREADS': '1', **env, 'PYTHONPATH': str(ROOT)}
        return subprocess.run(
            [*command, str(script)], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300
        )

    return run


@pytest.fixture
def healthy_with(run_python):
    """Return a function that runs code after ``import mmkd_video`` and expects it to succeed."""

    def check(code: str, **kwargs) -> str:
        done = run_python('import mmkd_video\n' + textwrap.dedent(code), **kwargs)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return check


@pytest.fixture
def breaks_without(run_python):
    """Return a function that expects code to fail with a message; skips the test where the stack is healthy."""

    def check(code: str, message: str, **kwargs) -> None:
        done = run_python(code, **kwargs)
        if done.returncode == 0:
            pytest.skip('this stack is healthy: the code works without mmkd_video')
        assert message in done.stderr, done.stderr

    return check
