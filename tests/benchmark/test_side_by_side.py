import threading

import pytest
import torch

from mmkd_video.benchmark import SideBySide


def test_callers_work_at_the_same_time_with_one_thread_each():
    together, threads, calls = threading.Barrier(3, timeout=10), [], []
    before = torch.get_num_threads()

    def work(name):
        together.wait()  # passed only if all three are here at once
        threads.append(torch.get_num_threads())
        calls.append(name)

    with SideBySide(3, times=4) as side_by_side:
        side_by_side.run([lambda name=name: work(name) for name in 'abc'])
    assert sorted(calls) == [*'aaaabbbbcccc'] and side_by_side.calls == 12
    assert set(threads) == {1} and torch.get_num_threads() == before


def test_what_fails_in_a_caller_is_raised():
    with SideBySide(2, times=1) as side_by_side, pytest.raises(ZeroDivisionError):
        side_by_side.run([lambda: 1 / 0, lambda: None])


def test_each_caller_has_a_function():
    with SideBySide(2, times=1) as side_by_side, pytest.raises(ValueError, match='got 1 functions, expected 2'):
        side_by_side.run([lambda: None])
