"""What each of two gloo processes does in tests/teachers/test_blockwise.py; run by torchrun."""

import json
import os
import sys
from pathlib import Path

import tiny
import torch
import torch.distributed as dist
import zoo
from mmengine.dist import init_dist
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import init_default_scope

import mmkd_video  # noqa: F401
from mmkd_video.core.registry import MODELS
from mmkd_video.pruning import Cut, PruningStep, apply_step


def build():
    """Build the same distiller everywhere; inside its first block the student lacks two channels."""
    torch.manual_seed(0)
    teacher = dict(type='BlockTeacher', config=tiny.recognizer(), checkpoint=None)
    config = dict(type='Distiller', student=tiny.recognizer(), teacher=teacher, task_weight=0.0, input_size=tiny.SIZE)
    model = MODELS.build(config).train()
    inside = 'backbone.layer1.0.conv1'
    removed = [(f'{inside}.conv', 'out'), (f'{inside}.bn', 'out'), ('backbone.layer1.0.conv2.conv', 'in')]
    apply_step(model.student, PruningStep([Cut(layer, side, (1, 5), 8) for layer, side in removed]))
    model.set_progress(0, 0, 1, 10)
    return model


def step(wrapped, model, clips, first):
    """Run one backward pass on clips ``first`` to ``first + clips``; return all gradients."""
    wrapped.zero_grad()
    data = model.data_preprocessor(zoo.batch_for(tiny.recognizer(), tiny.SIZE, clips=clips, seed=first), True)
    model.parse_losses(wrapped(**data, mode='loss'))[0].backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad]).clone()


def main(out):
    """Compare two ranks of two clips with one process of four, twice: an unused parameter fails the second step."""
    init_default_scope('mmaction')
    model = build()
    alone = step(model, model, clips=4, first=0)
    init_dist('pytorch', backend='gloo')
    wrapped = MMDistributedDataParallel(model, device_ids=None)
    for _ in range(2):
        ours = step(wrapped, model, clips=2, first=2 * dist.get_rank())
    largest = alone.abs().max().item()
    if dist.get_rank() == 0:
        Path(out).write_text(json.dumps(dict(worst=(ours - alone).abs().max().item() / largest, largest=largest)))
    dist.barrier()
    os._exit(0)  # gloo sometimes aborts an interpreter that is taken down: see compat/gloo_exit.py


if __name__ == '__main__':
    main(sys.argv[1])
