import multiprocessing
import os
import time
from functools import partial

import pytest
import torch

from mmkd_video.benchmark import SideBySide

pytestmark = pytest.mark.slow  # processes that import everything anew


def note(folder, barrier, name):
    barrier.wait(60)  # passed only if all callers are here at once
    with open(folder / f'{os.getpid()}', 'a') as file:
        file.write(f'{name} {torch.get_num_threads()}\n')


def open_notes(folder, barrier):
    return {name: partial(note, folder, barrier, name) for name in ('a', ('b', 1))}


def open_failing():
    return dict(divide=lambda: 1 / 0, exit=lambda: os._exit(3))


def fail_to_open():
    raise OSError('no such model')


def test_callers_work_at_the_same_time_with_one_thread_each(tmp_path, monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', '2')
    barrier = multiprocessing.get_context('spawn').Barrier(2)
    with SideBySide(2, 3, partial(open_notes, tmp_path, barrier)) as side_by_side:
        side_by_side.run('a')
        side_by_side.run(('b', 1))
        assert side_by_side.calls == 6
        assert side_by_side.cpu_time() > time.process_time() + 0.1  # that of the callers counts, as of their last run
    notes = [path.read_text() for path in tmp_path.iterdir()]
    assert notes == ['a 1\n' * 3 + "('b', 1) 1\n" * 3] * 2


@pytest.mark.parametrize(('name', 'message'), [('divide', 'ZeroDivisionError'), ('exit', 'has ended')])
def test_what_fails_in_a_caller_is_raised(name, message):
    with SideBySide(2, 1, open_failing) as side_by_side, pytest.raises(RuntimeError, match=message):
        side_by_side.run(name)


def test_what_cannot_be_opened_is_raised():
    with pytest.raises(RuntimeError, match='no such model'), SideBySide(1, 1, fail_to_open):
        pass
