import pytest
import torch

from mmkd_video.compat import cpu_ddp

pytestmark = pytest.mark.slow

WRAP = """
import os
os.environ.update(RANK='0', LOCAL_RANK='0', WORLD_SIZE='1', MASTER_ADDR='127.0.0.1', MASTER_PORT='0')
import torch
torch.distributed.init_process_group('gloo', store=torch.distributed.HashStore(), rank=0, world_size=1)
from mmengine.model import MMDistributedDataParallel
wrapped = MMDistributedDataParallel(module=torch.nn.Linear(2, 1), device_ids=[0], broadcast_buffers=False)
print(wrapped.device_ids, wrapped.broadcast_buffers)
"""


def test_device_ids_break_a_cpu_module_without_and_not_with(breaks_without, healthy_with):
    breaks_without(WRAP, 'device_ids')
    assert healthy_with(WRAP).split()[-2:] == ['None', 'False']


@pytest.mark.parametrize(('device', 'expected'), [('cpu', None), ('meta', [0])])
def test_only_a_module_on_the_cpu_loses_its_device_ids(device, expected):
    seen = {}
    construct = cpu_ddp._drop_device_ids(lambda self, module, **kwargs: seen.update(kwargs))
    construct(None, torch.nn.Linear(1, 1, device=device), device_ids=[0], static_graph=True)
    assert seen == {'device_ids': expected, 'static_graph': True}
