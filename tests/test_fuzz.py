"""Thousands of damaged and hostile files in a process of its own: it does not end, and does nothing but read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def run(program, seed, count, folder):
    paths = [str(TESTS.parent), str(TESTS), str(TESTS / 'compat')]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': os.pathsep.join(paths)}
    command = [sys.executable, '-W', 'ignore', str(TESTS / program), str(seed), str(count), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f'{done.returncode}: {done.stderr[-3000:]}'
    return json.loads(done.stdout.splitlines()[-1])


MORE = os.environ.get('FUZZ_SEEDS', '3 4 5').split()  # other seeds, for files that were never tried
SIZES = [
    (1, 300),
    pytest.param(2, 4_000, marks=pytest.mark.slow),
    *(pytest.param(int(seed), 10_000, marks=[pytest.mark.slow, pytest.mark.full]) for seed in MORE),
]


@pytest.mark.parametrize('seed, count', SIZES)
def test_checkpoints(tmp_path, seed, count):
    found = run('compat/fuzz.py', seed, count, tmp_path)
    assert found['read'] + found['refused'] == count
    assert found['refused'] > count / 2 and found['read'] > count / 100
    assert found['megabytes'] < 2000


@pytest.mark.parametrize('seed, count', SIZES)
def test_metadata(tmp_path, seed, count):
    found = run('fuzz_metadata.py', seed, count, tmp_path)
    assert found['opened'] + found['refused'] == count
    assert found['refused'] > count / 2 and found['opened'] > count / 100
    assert found['megabytes'] < 2000
