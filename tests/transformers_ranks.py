"""What each of two gloo processes does in tests/teachers/test_transformers_teacher.py; run by torchrun."""

import json
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

SIZE = (4, 32, 32)  # the student sees what the teacher does


def build(teacher):
    """Build the same distiller everywhere, without batch statistics."""
    terms = [
        dict(type='KDLoss', at='logits', weight=1.0),
        dict(type='FitNetLoss', at=('backbone.layer1', 'last_hidden_state'), weight=1.0),
    ]
    config = dict(tiny.distiller(terms=terms), teacher=dict(config=teacher), input_size=dict(student=SIZE))
    torch.manual_seed(0)
    model = MODELS.build(config).train()
    for module in model.student.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train = lambda mode=True: None
            module.training = False
    return model


def gradients(wrapped, model, clips, first):
    """Run one backward pass on clips ``first`` to ``first + clips``."""
    wrapped.zero_grad()
    model.set_progress(0, 0, 1, 10)
    data = model.data_preprocessor(zoo.batch_for(tiny.recognizer(), SIZE, clips=clips, seed=first), True)
    model.parse_losses(wrapped(**data, mode='loss'))[0].backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad]).clone()


def main(teacher, out):
    """Compare two ranks of two clips with one process of four."""
    init_default_scope('mmaction')
    model = build(teacher)
    alone = gradients(model, model, clips=4, first=0)
    init_dist('pytorch', backend='gloo')
    wrapped = MMDistributedDataParallel(model)
    found = gradients(wrapped, model, clips=2, first=2 * dist.get_rank())
    if dist.get_rank() == 0:
        told = dict(difference=float((found - alone).abs().max()), largest=float(alone.abs().max()))
        Path(out).write_text(json.dumps(told))


if __name__ == '__main__':
    main(*sys.argv[1:])
