"""What each of two gloo processes does in tests/distillers/test_adversarial_training.py; run by torchrun."""

import json
import os
import sys
from pathlib import Path

import tiny
import torch
import torch.distributed as dist
from mmaction.structures import ActionDataSample
from mmengine.dist import init_dist
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import init_default_scope
from torch import nn

import mmkd_video  # noqa: F401
from mmkd_video.core.registry import MODELS

TERMS = [
    dict(type='KDLoss', at='logits', temperature=2.0, weight=0.7),
    dict(type='KDLoss', at=('clean.logits', 'logits'), weight=0.3, name='kd_clean'),
    dict(type='FitNetLoss', at=('clean.backbone.layer1', 'backbone.layer1'), weight=1.0),
]


def build():
    """Build the same student everywhere, with batch statistics off and an attack that draws nothing."""
    torch.manual_seed(0)
    attack = dict(type='PGD', epsilon=200.0, steps=2, random_start=False, norm='l2')
    model = MODELS.build(tiny.distiller(terms=TERMS, type='AdversarialTraining', attack=attack))
    for module in model.student.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train = lambda mode=True: None
            module.training = False
    return model


def step(wrapped, model, rows):
    """Run one backward pass on some of four clips and return all gradients by name."""
    wrapped.zero_grad()
    model.set_progress(0, 0, 1, 10)
    generator = torch.Generator().manual_seed(5)
    frames = torch.randint(256, (4, 1, 3, *tiny.SIZE), dtype=torch.uint8, generator=generator)
    samples = [ActionDataSample().set_gt_label(row % 5) for row in rows]
    data = model.data_preprocessor(dict(inputs=[frames[row] for row in rows], data_samples=samples), True)
    model.parse_losses(wrapped(**data, mode='loss'))[0].backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}


def main(out):
    """Compare two ranks of two clips with one process of four."""
    init_default_scope('mmaction')
    model = build()
    alone = step(model, model, range(4))
    attacked = model._attacked
    model._attacked = lambda clips, samples, taught: clips
    clean = step(model, model, range(4))
    model._attacked = attacked
    init_dist('pytorch', backend='gloo')
    wrapped = MMDistributedDataParallel(model, device_ids=None, broadcast_buffers=True)
    for _ in range(2):  # the second step would hang or fail if a parameter had been unused in the first
        ours = step(wrapped, model, range(2 * dist.get_rank(), 2 * dist.get_rank() + 2))
    scale = max(gradient.abs().max().item() for gradient in alone.values())
    report = {
        key: max((other[name] - alone[name]).abs().max().item() for name in alone) / scale
        for key, other in (('worst', ours), ('unlike', clean))
    }
    if dist.get_rank() == 0:
        Path(out).write_text(json.dumps(report))
    dist.barrier()
    os._exit(0)  # gloo sometimes aborts an interpreter that is taken down: see compat/gloo_exit.py


if __name__ == '__main__':
    main(sys.argv[1])
