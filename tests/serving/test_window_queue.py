import threading

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


def test_none_waits_for_room():
    waiting, done = WindowQueue(1, 'none'), threading.Event()

    def put():
        for number in range(3):
            waiting.put(number)
        waiting.close()
        done.set()

    threading.Thread(target=put, daemon=True).start()
    assert not done.wait(0.1)
    assert [waiting.get() for _ in range(4)] == [0, 1, 2, None]
    assert done.wait(5) and waiting.dropped == 0


def test_abort_frees_who_waits_and_forgets():
    waiting = WindowQueue(1, 'none')
    waiting.put(0)
    thread = threading.Thread(target=waiting.put, args=(1,), daemon=True)
    thread.start()
    waiting.abort()
    thread.join(5)
    assert not thread.is_alive()
    assert waiting.get() is None


def test_bad_arguments():
    with pytest.raises(ValueError, match='queue: got 0'):
        WindowQueue(0, 'none')
    with pytest.raises(ValueError, match="drop: got 'all'"):
        WindowQueue(1, 'all')
