import threading
from queue import SimpleQueue

import pytest

from mmkd_video.serving import WindowQueue


@pytest.mark.parametrize('policy, kept', [('oldest', [3, 4]), ('newest', [0, 1])])
def test_a_full_queue_drops_by_policy(policy, kept):
    waiting = WindowQueue(2, policy)
    for number in range(5):
        waiting.put(number)
    waiting.close()
    assert [waiting.get(), waiting.get(), waiting.get()] == [*kept, None]
    assert waiting.dropped == 3


class WatchedCondition(threading.Condition):
    """A condition that tells that somebody waits; who takes its lock afterwards finds them waiting."""

    def __init__(self):
        super().__init__()
        self.waits = threading.Semaphore(0)

    def wait(self, timeout=None):
        self.waits.release()
        return super().wait(timeout)


def test_who_waits_for_a_window_is_freed_by_one_and_by_the_end():
    waiting, got = WindowQueue(1, 'oldest'), SimpleQueue()
    waiting._changed = WatchedCondition()
    thread = threading.Thread(target=lambda: [got.put(waiting.get()) for _ in range(2)], daemon=True)
    thread.start()
    assert waiting._changed.waits.acquire(timeout=20)
    waiting.put(0)
    assert got.get(timeout=20) == 0
    assert waiting._changed.waits.acquire(timeout=20)
    waiting.close()
    assert got.get(timeout=20) is None


def test_abort_forgets():
    waiting = WindowQueue(2, 'newest')
    waiting.put(0)
    waiting.abort()
    waiting.put(1)
    assert waiting.get() is None


def test_bad_arguments():
    with pytest.raises(ValueError, match='queue: got 0'):
        WindowQueue(0, 'newest')
    for policy in ('all', 'none'):
        with pytest.raises(ValueError, match=f"drop: got '{policy}', expected one of oldest or newest"):
            WindowQueue(1, policy)
