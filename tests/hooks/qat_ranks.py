"""One rank of a training with quantizers, under torchrun: ``videos work_dir resume``."""

import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from qat_run import config_for

from mmkd_video.quantization import quantizer_parameters

if __name__ == '__main__':
    torch.set_num_threads(1)
    init_default_scope('mmaction')
    videos, work_dir, resume = sys.argv[1:]
    config = config_for(Path(videos), Path(work_dir), epochs=3, resume=resume == 'resume')
    config.launcher = 'pytorch'
    runner = Runner.from_cfg(config)
    runner.train()
    model = runner.model.module
    ranges = quantizer_parameters(model.student)
    reduced = {id(parameter) for parameter in runner.model._module_parameters}
    assert all(id(parameter) in reduced for parameter in ranges), 'DDP does not know the ranges'
    values = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    everybody = [torch.zeros_like(values) for _ in range(2)]
    dist.all_gather(everybody, values)
    assert torch.equal(*everybody), 'the ranks have drifted apart'
    print('the ranks agree on', len(ranges), 'ranges', flush=True)
    dist.barrier()
    os._exit(0)
