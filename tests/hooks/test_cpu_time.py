"""CPU seconds of a process and its children."""

import subprocess
import sys
import time

from mmkd_video.hooks.cpu_time import cpu_seconds

BURN = """
import time
while time.process_time() < 0.5:
    pass
print('burnt', flush=True)
input()
"""


def test_own_time_counts_and_sleep_does_not():
    before = cpu_seconds()
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    assert cpu_seconds() - before >= 0.2
    before = cpu_seconds()
    time.sleep(0.5)
    assert cpu_seconds() - before < 0.4


def test_children_count_while_they_live_and_after():
    before = cpu_seconds()
    command = [sys.executable, '-c', BURN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == 'burnt\n'
        alive = cpu_seconds() - before
        child.communicate('\n')
    assert alive >= 0.45  # the kernel's clock ticks a hundred times a second
    assert cpu_seconds() - before >= alive - 0.05
