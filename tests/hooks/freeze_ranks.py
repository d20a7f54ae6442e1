"""One rank of a training with gradual unfreezing, under torchrun: ``videos work_dir resume``."""

import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from freeze_run import build
from mmengine.registry import init_default_scope

if __name__ == '__main__':
    torch.set_num_threads(1)
    init_default_scope('mmaction')
    videos, work_dir, resume = sys.argv[1:]
    runner = build(Path(videos), Path(work_dir), 'ranks', resume=resume == 'resume', launcher='pytorch')
    first = [parameter.detach().clone() for parameter in runner.model.module.student.backbone.conv1.parameters()]
    runner.train()
    values = torch.cat([parameter.detach().flatten() for parameter in runner.model.module.parameters()])
    everybody = [torch.zeros_like(values) for _ in range(2)]
    dist.all_gather(everybody, values)
    assert torch.equal(*everybody), 'the ranks have drifted apart'
    last = list(runner.model.module.student.backbone.conv1.parameters())
    assert not all(torch.equal(*pair) for pair in zip(first, last, strict=True)), 'conv1 was never unfrozen'
    print('the ranks agree', flush=True)
    dist.barrier()
    os._exit(0)
