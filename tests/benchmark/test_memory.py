import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow  # processes that import everything anew
MEASURE = """
import torch
from mmkd_video.benchmark.memory import peak_memory
before = peak_memory()
block = torch.ones({elements})
del block
print(before, peak_memory())
"""


def measure(elements):
    done = subprocess.run(
        [sys.executable, '-c', MEASURE.format(elements=elements)], capture_output=True, text=True, check=True
    )
    return tuple(int(value) for value in done.stdout.split()[-2:])


def test_a_block_that_is_freed_again_stays_in_the_peak():
    before, after = measure(100 * 2**18)
    # the peak before the block may lie above what was held when it was made
    assert after - before > 60 * 2**20
    assert after < before + 200 * 2**20


def test_a_fat_parent_does_not_count():
    fat = bytearray(3 * 10**9 // 4)
    fat[::4096] = b'x' * len(fat[::4096])
    before, _ = measure(1)
    assert before < len(fat)


RESTARTED = """
import torch
from mmkd_video.benchmark.memory import peak_memory, restart_peak
block = torch.ones(16 << 20)
del block
before = restart_peak()
block = torch.ones(8 << 20)
print(before, peak_memory())
"""


def test_peak_counts_from_where_it_was_restarted():
    done = subprocess.run([sys.executable, '-c', RESTARTED], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split()[-2:])
    assert 30 << 20 < after - before < 48 << 20
