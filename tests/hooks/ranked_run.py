"""One rank of a training under torchrun; its settings are JSON on the command line."""

import json
import sys
from pathlib import Path

import torch
from killable_run import config_for
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

if __name__ == '__main__':
    torch.set_num_threads(1)
    init_default_scope('mmaction')
    settings = json.loads(sys.argv[1])
    temperature = settings.pop('temperature', None)
    config = config_for(Path(settings.pop('videos')), Path(settings.pop('work_dir')), **settings)
    config.launcher = 'pytorch'
    if temperature is not None:
        config.model.terms[0].temperature = temperature
    Runner.from_cfg(config).train()
