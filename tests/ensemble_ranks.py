"""What each of two gloo processes does in tests/teachers/test_ensemble_training.py; run by torchrun."""

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
from torch import nn

import mmkd_video  # noqa: F401
from mmkd_video.core.registry import MODELS

SIZE = (4, 16, 16)


def build():
    """Build the same distiller everywhere, without batch statistics."""
    members = {name: dict(config=tiny.recognizer(width), checkpoint=None) for name, width in (('a', 6), ('b', 4))}
    terms = [
        dict(type='KDLoss', at='logits', weight=1.0),
        dict(type='FitNetLoss', at=('backbone.layer1', 'a.backbone.layer1'), weight=1.0),
    ]
    config = tiny.distiller(terms=terms, task_weight=0.0)
    weighting = dict(type='aekd', tolerance=0.9)
    config |= dict(teacher=dict(type='TeacherEnsemble', members=members, weighting=weighting), input_size=SIZE)
    torch.manual_seed(0)
    model = MODELS.build(config).train()
    for module in model.student.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train = lambda mode=True: None
            module.training = False
    return model


def step(wrapped, model, clips, first):
    """Run one backward pass on clips ``first`` to ``first + clips``; return all gradients and the members' weights."""
    weights, weigh = [], model.teachers['teacher'].weighting.weigh
    model.teachers['teacher'].weighting.weigh = lambda given: weights.append(weigh(given)) or weights[-1]
    wrapped.zero_grad()
    model.set_progress(0, 0, 1, 10)
    data = model.data_preprocessor(zoo.batch_for(tiny.recognizer(), SIZE, clips=clips, seed=first), True)
    model.parse_losses(wrapped(**data, mode='loss'))[0].backward()
    model.teachers['teacher'].weighting.weigh = weigh
    gradients = torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad])
    return gradients.clone(), weights[0].flatten()


def main(out):
    """Compare two ranks of two clips with one process of four."""
    init_default_scope('mmaction')
    model = build()
    alone, weights = step(model, model, clips=4, first=0)
    init_dist('pytorch', backend='gloo')
    wrapped = MMDistributedDataParallel(model, device_ids=None, broadcast_buffers=True)
    for _ in range(2):  # the second step would hang or fail if a parameter had been unused in the first
        ours, own = step(wrapped, model, clips=2, first=2 * dist.get_rank())
    report = dict(
        worst=((ours - alone).abs().max() / alone.abs().max()).item(),
        weights=[weights.tolist(), own.tolist()],
        in_reducer=sum(p.numel() for p in wrapped._module_parameters),
        expected=sum(p.numel() for p in model.parameters() if p.requires_grad),
    )
    if dist.get_rank() == 0:
        Path(out).write_text(json.dumps(report))
    dist.barrier()
    os._exit(0)  # gloo sometimes aborts an interpreter that is taken down: see compat/gloo_exit.py


if __name__ == '__main__':
    main(sys.argv[1])
