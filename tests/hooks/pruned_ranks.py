"""One rank of a training that prunes, under torchrun: ``videos work_dir resume``."""

import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from pruned_run import HOOK, config_for

if __name__ == '__main__':
    torch.set_num_threads(1)
    init_default_scope('mmaction')
    videos, work_dir, resume = sys.argv[1:]
    hook = dict(HOOK, criterion='taylor', batches=1)
    config = config_for(Path(videos), Path(work_dir), hook=hook, resume=resume == 'resume')
    config.launcher = 'pytorch'
    runner = Runner.from_cfg(config)
    runner.train()
    model = runner.model.module
    values = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    everybody = [torch.zeros_like(values) for _ in range(2)]
    dist.all_gather(everybody, values)
    assert torch.equal(*everybody), 'the ranks have drifted apart'
    assert len({parameter.numel() for parameter in runner.model.parameters()}) > 1
    print('the ranks agree', flush=True)
    dist.barrier()
    os._exit(0)
