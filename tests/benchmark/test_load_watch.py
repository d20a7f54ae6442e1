"""Other load is seen by busy processors and by waiting calls."""

import os
import time

import pytest

from mmkd_video.benchmark import LoadWatch, describe_processor, load_watch
from mmkd_video.benchmark.load_watch import busy_seconds, unsteady, usable_processors

STATISTICS = """cpu  9000 9000 9000 9000 9000 9000 9000 9000 9000 9000
cpu0 100 20 30 5000 400 1 2 3 50 60
cpu1 200 0 0 5000 400 0 0 0 0 0
cpu2 7000 0 0 0 0 0 0 0 0 0
intr 5 6
"""


def window(seconds, busy, ours, wall=0.0, cpu=0.0, processors=4):
    """Return a watch after a window of some seconds in which the processors were busy, some of that with our work."""
    now = dict(clock=0.0, busy=10.0, cpu=5.0)
    watch = LoadWatch(lambda: now['cpu'], lambda: now['busy'], lambda: now['clock'], processors)
    now.update(clock=seconds, busy=None if busy is None else 10.0 + busy, cpu=5.0 + ours)
    watch.count_call(wall, cpu)
    return watch, watch.end()


@pytest.mark.parametrize(
    ('busy', 'ours', 'wall', 'cpu', 'disturbed'),
    [
        (2.0, 2.0, 2.0, 2.0, False),
        (2.7, 2.0, 2.0, 2.0, False),  # 0.7 of 8 seconds
        (2.9, 2.0, 2.0, 2.0, True),
        (1.9, 2.0, 2.0, 2.0, False),  # counted in coarser steps than ours
        (2.0, 2.0, 2.0, 1.7, True),  # waits for a processor, though nobody is seen
        (None, 2.0, 2.0, 1.7, True),
        (None, 2.0, 2.0, 3.9, False),  # several threads
    ],
)
def test_load_of_others_and_waiting_disturb(busy, ours, wall, cpu, disturbed):
    watch, found = window(2.0, busy, ours, wall, cpu)
    assert found is disturbed and (watch.windows, watch.disturbed) == (1, disturbed)


def test_windows_shorter_than_the_systems_clock_tells_are_not_judged_by_it():
    assert window(0.1, 0.4, 0.1)[1] is False
    assert window(0.2, 0.4, 0.1)[1] is True


def test_values_are_unsteady_where_the_quartiles_lie_far_apart():
    assert not unsteady([1.0, 1.1, 1.2] * 4)
    assert unsteady([1.0, 1.2, 1.6] * 4)
    assert not unsteady([1.0] * 11 + [9.0])  # one outlier
    assert not unsteady([1.0, 9.0])  # too few to tell


def test_says_what_it_saw():
    quiet, busy, unknown = window(2.0, 2.4, 2.0)[0], window(2.0, 6.0, 2.0)[0], window(2.0, None, 2.0)[0]
    assert str(quiet) == 'others used 5% of 4 processors at most'
    assert str(busy) == (
        'others used 50% of 4 processors at most; what was measured beside more than 10% was measured again'
    )
    assert str(unknown) == 'what others used of the processors is not known here'
    busy.gave_up = True
    assert 'measured again' not in str(busy) and str(busy).endswith(
        'wall times are left out, CPU times hold as far as their intervals tell'
    )


def test_busy_time_is_that_of_the_processors_this_process_may_use(tmp_path, monkeypatch):
    path = tmp_path / 'stat'
    path.write_text(STATISTICS)
    monkeypatch.setattr(load_watch, 'CPU_STATISTICS', path)
    monkeypatch.setattr(load_watch, 'usable_processors', lambda: [0, 1])
    assert busy_seconds() == 356 / os.sysconf('SC_CLK_TCK')  # neither idle nor waiting for disks, nor guests twice
    monkeypatch.setattr(load_watch, 'CPU_STATISTICS', tmp_path / 'none')
    assert busy_seconds() is None


@pytest.mark.skipif(not load_watch.CPU_STATISTICS.exists(), reason='needs /proc/stat')
def test_work_of_this_process_counts_as_busy_and_as_its_own():
    before, ours = busy_seconds(), time.process_time()
    while time.process_time() - ours < 0.3:
        pass
    assert busy_seconds() - before > 0.2


@pytest.mark.parametrize(
    ('info', 'told'),
    [
        ('processor : 0\nflags\t\t: fpu avx2 amx_int8 avx512_vnni\n', 'avx2 avx512_vnni amx_int8'),
        ('processor : 0\nFeatures : fp asimddp i8mm\n', 'asimddp i8mm'),
        ('flags : fpu\n', 'none of avx2 avx512f'),
        (None, 'instruction sets not known'),
    ],
)
def test_the_instruction_sets_of_a_processor_are_told(tmp_path, monkeypatch, info, told):
    monkeypatch.setattr('mmkd_video.benchmark.processor.CPU_INFO', tmp_path / 'cpuinfo')
    if info is not None:
        (tmp_path / 'cpuinfo').write_text(info)
    assert f'{len(usable_processors())} logical cores, {told}' in describe_processor()
