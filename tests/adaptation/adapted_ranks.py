"""One rank of a training between two domains, under torchrun: ``videos work_dir``."""

import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from mmengine.registry import init_default_scope
from test_domain_losses import TERMS, run

if __name__ == '__main__':
    torch.set_num_threads(1)
    init_default_scope('mmaction')
    videos, work_dir = map(Path, sys.argv[1:])
    gathered = [dict(TERMS[name], gather=True) for name in ('mmd', 'coral')]
    late = dict(TERMS['cdan'], begin=1)
    runner, watch = run(videos, work_dir, 'ranks', [TERMS['dann'], late, *gathered], launcher='pytorch')
    assert all([domain for domain, _ in batch] == [0, 0, 1, 1] for batch in watch.seen)
    values = torch.cat([parameter.detach().flatten() for parameter in runner.model.module.parameters()])
    everybody = [torch.zeros_like(values) for _ in range(2)]
    dist.all_gather(everybody, values)
    assert torch.equal(*everybody), 'the ranks have drifted apart'
    print('the ranks agree', flush=True)
    dist.barrier()
    os._exit(0)
