"""What each of two gloo processes does in tests/hooks/test_deciding_ranks.py; run by torchrun."""

import json
import sys
from pathlib import Path

import tiny
import torch

import mmkd_video  # noqa: F401
from mmkd_video.hooks import AnnealingHook, TermStopHook

if __name__ == '__main__':
    videos, work_dir = map(Path, sys.argv[1:])
    hooks = [
        dict(type='TermStopHook', patience=1, terms=['fitnet'], min_gain=0.9),
        dict(type='AnnealingHook', numbers=['kd.weight'], monitor='acc/top1', steps=1),
    ]
    rest = dict(optim_wrapper=dict(optimizer=dict(lr=0.0)), train_cfg=dict(max_epochs=3), randomness=dict(seed=0))
    runner = tiny.runner(
        videos, work_dir, 'ranks', tiny.distiller(terms=[tiny.KD, tiny.MAP | dict(weight=1.0)]), hooks=hooks,
        launcher='pytorch', **rest,
    )  # fmt: skip
    runner.train()
    (stop,) = (each for each in runner.hooks if isinstance(each, TermStopHook))
    (search,) = (each for each in runner.hooks if isinstance(each, AnnealingHook))
    found = dict(judged=stop._judged, chain=search.chain.state())
    Path(work_dir, f'rank{torch.distributed.get_rank()}.json').write_text(json.dumps(found))
