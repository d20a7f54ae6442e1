"""What each of two gloo processes does in tests/distillers/test_masked_training.py; run by torchrun."""

import json
import sys
from pathlib import Path

import masked_students
import torch
import torch.distributed as dist
import zoo
from mmengine.dist import init_dist
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import init_default_scope

import mmkd_video  # noqa: F401

PERIOD = 3  # of the places that the mask shows: clips that are as many apart see the same ones


def gradients(wrapped, model, clips, first):
    """Run one backward pass on clips ``first`` to ``first + clips``."""
    wrapped.zero_grad()
    model.set_progress(0, 0, 1, 10)
    data = model.data_preprocessor(
        zoo.batch_for(masked_students.student(), masked_students.SIZE, clips=clips, seed=first), True
    )
    model.parse_losses(wrapped(**data, mode='loss'))[0].backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad]).clone()


def main(out):
    """Compare two ranks of three clips with one process of six."""
    init_default_scope('mmaction')
    model = masked_students.build(dict(type='EveryThirdMask'))
    alone = gradients(model, model, clips=2 * PERIOD, first=0)
    init_dist('pytorch', backend='gloo')
    wrapped = MMDistributedDataParallel(model)
    for _ in range(2):  # the second step would hang or fail if a parameter had been unused in the first
        found = gradients(wrapped, model, clips=PERIOD, first=PERIOD * dist.get_rank())
    if dist.get_rank() == 0:
        told = dict(difference=float((found - alone).abs().max()), largest=float(alone.abs().max()))
        Path(out).write_text(json.dumps(told))
    dist.destroy_process_group()


if __name__ == '__main__':
    main(*sys.argv[1:])
