import atexit
import os

import pytest
import torch

from mmkd_video.compat import gloo_exit

pytestmark = pytest.mark.slow

# Exit handlers run last in, first out: this one speaks after every other.
RUN = """
import atexit, os
import torch
atexit.register(lambda: print(torch.distributed.is_initialized()))
os.environ.update(RANK='0', LOCAL_RANK='0', WORLD_SIZE='1', MASTER_ADDR='127.0.0.1', MASTER_PORT='0')
import torch.cuda
torch.cuda.set_device = lambda device: None
from mmengine.dist import init_dist
init_dist('pytorch', backend='gloo')
{last}
"""


def test_mmengine_leaves_the_group_open_without_and_not_with(run_python, healthy_with):
    code = RUN.format(last='')
    assert run_python(code).stdout.split()[-1:] == ['True']
    assert healthy_with(code).split()[-1] == 'False'


def test_a_group_that_the_caller_destroyed_is_left_alone(healthy_with):
    assert healthy_with(RUN.format(last='torch.distributed.destroy_process_group()')).split()[-1] == 'False'


def test_stands_aside_for_other_backends(monkeypatch):
    registered = []
    monkeypatch.setattr(torch.distributed, 'is_initialized', lambda: True)
    monkeypatch.setattr(atexit, 'register', lambda *args: registered.append(args))
    launch = gloo_exit._destroyed_at_exit(lambda *args, **kwargs: None)
    for backend, expected in (('nccl', 0), ('gloo', 1)):
        monkeypatch.setattr(torch.distributed, 'get_backend', lambda backend=backend: backend)
        launch(backend)
        assert len(registered) == expected


def test_threads_get_the_lock_before_the_group_goes(monkeypatch):
    done = []
    monkeypatch.setattr(torch.distributed, 'is_initialized', lambda: True)
    monkeypatch.setattr(torch.distributed, 'destroy_process_group', lambda: done.append('destroyed'))
    monkeypatch.setattr(gloo_exit.time, 'sleep', lambda seconds: done.append('waited'))
    gloo_exit._destroy(os.getpid())
    assert done == ['waited', 'destroyed']
