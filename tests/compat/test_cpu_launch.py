import types

import pytest
import torch

from mmkd_video.compat import cpu_launch

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(torch.cuda.is_available(), reason='this machine has a GPU: the break does not bite'),
]

LAUNCH = """
import os
os.environ.update(RANK='0', LOCAL_RANK='0', WORLD_SIZE='1', MASTER_ADDR='127.0.0.1', MASTER_PORT='0')
os.environ.update(OMPI_COMM_WORLD_LOCAL_RANK='0', OMPI_COMM_WORLD_SIZE='1', OMPI_COMM_WORLD_RANK='0')
os.environ.update(SLURM_PROCID='0', SLURM_NTASKS='1', SLURM_NODELIST='localhost', SLURM_LOCALID='0')
import torch
from mmengine.dist import init_dist
before = torch.cuda.set_device
init_dist({launcher!r}, backend={backend!r})
print(torch.distributed.get_backend(), torch.cuda.set_device is before)
"""


@pytest.mark.parametrize('launcher', ['pytorch', 'mpi', 'slurm'])
@pytest.mark.parametrize('backend', ['gloo', 'nccl'])
def test_launchers_need_a_gpu_without_and_not_with(breaks_without, healthy_with, launcher, backend):
    code = LAUNCH.format(launcher=launcher, backend=backend)
    if backend == 'gloo':
        breaks_without(code, 'cuda')
    assert healthy_with(code).split()[-2:] == ['gloo', 'True']


def test_stands_aside_where_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    module = types.SimpleNamespace(**{name: object() for name in cpu_launch.LAUNCHERS})
    before = dict(vars(module))
    cpu_launch._patch(module)
    assert vars(module) == before
