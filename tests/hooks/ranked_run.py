"""One rank of a training under torchrun; its settings are JSON on the command line."""

import hashlib
import json
import os
import signal
import sys
from pathlib import Path

import torch
from killable_run import config_for
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner


class TerminatedAt(Hook):
    """Gets SIGTERM in the middle of a step."""

    def __init__(self, iteration):
        self.iteration = iteration

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration:
            os.kill(os.getpid(), signal.SIGTERM)


class RecordSamples(Hook):
    """Writes what each epoch trains on: the index of each sample, and a digest of its pixels."""

    def __init__(self, folder):
        self.path = Path(folder, f'rank{get_rank()}.jsonl')

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        with self.path.open('a') as file:
            for sample, pixels in zip(data_batch['data_samples'], data_batch['inputs'], strict=True):
                digest = hashlib.sha256(pixels.numpy().tobytes()).hexdigest()
                file.write(json.dumps([runner.epoch, sample.sample_idx, digest]) + '\n')


if __name__ == '__main__':
    torch.set_num_threads(1)
    init_default_scope('mmaction')
    settings = json.loads(sys.argv[1])
    temperature, stop_at, record = (settings.pop(key, None) for key in ('temperature', 'stop_at', 'record'))
    config = config_for(Path(settings.pop('videos')), Path(settings.pop('work_dir')), **settings)
    config.launcher = 'pytorch'
    if temperature is not None:
        config.model.terms[0].temperature = temperature
    runner = Runner.from_cfg(config)
    if stop_at is not None and get_rank() == 1:
        runner.register_hook(TerminatedAt(stop_at))
    if record is not None:
        runner.register_hook(RecordSamples(record))
    runner.train()
