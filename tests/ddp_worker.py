"""What each of two gloo processes does in tests/distillers/test_distributed.py; run by torchrun."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import learning_teachers
import torch
import torch.distributed as dist
import zoo
from mmengine.dist import init_dist
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import init_default_scope
from torch import nn

import mmkd_video  # noqa: F401
from mmkd_video.core.registry import MODELS
from mmkd_video.hooks import DistillHook


def build(begin=0):
    """Build the same distiller everywhere, with dropout and batch statistics off."""
    student, size = zoo.config_of('tsm_mobilenet')
    student['cls_head']['dropout_ratio'] = 0.0
    teacher, teacher_size = zoo.config_of('i3d')
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='Distiller',
            student=student,
            teacher=dict(config=teacher, checkpoint=None),
            input_size=dict(student=size, teacher=teacher_size),
            terms=[
                dict(type='KDLoss', at='logits', weight=0.9),
                dict(type='FitNetLoss', at='backbone.layer4'),
                dict(type='FitNetLoss', at='backbone.layer3', name='later', begin=begin),
            ],
        )
    )
    for module in model.student.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train = lambda mode=True: None
            module.training = False
    return model, student, size


def step(wrapped, model, student, size, clips, first):
    """Run one backward pass on clips ``first`` to ``first + clips`` and return all gradients by name."""
    wrapped.zero_grad()
    model.set_progress(0, 0, 1, 10)
    data = model.data_preprocessor(zoo.batch_for(student, size, clips=clips, seed=first), True)
    model.parse_losses(wrapped(**data, mode='loss'))[0].backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}


def states_at_start(wrapped, model):
    """Start each rank with connectors of its own; return how far the ranks differ before and after ``before_train``."""
    with torch.no_grad():
        for tensor in model.training_state_dict().values():
            tensor.copy_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(dist.get_rank())))
    wrapper = model.build_optim_wrapper(dict(optimizer=dict(type='SGD', lr=0.1)))
    found = [_spread(model)]
    DistillHook().before_train(SimpleNamespace(model=wrapped, optim_wrapper=wrapper, cfg={}))
    return [*found, _spread(model)]


def _spread(model):
    state = torch.cat([tensor.flatten() for tensor in model.training_state_dict().values()])
    both = [torch.zeros_like(state) for _ in range(dist.get_world_size())]
    dist.all_gather(both, state)
    return (both[0] - both[1]).abs().max().item()


def main(out):
    """Compare two ranks of two clips with one process of four; count what is broadcast."""
    init_default_scope('mmaction')
    model, student, size = build(begin=3)
    alone = step(model, model, student, size, clips=4, first=0)
    learning = learning_teachers.alone()
    init_dist('pytorch', backend='gloo')
    sent = []
    broadcast = dist._broadcast_coalesced

    def counting(group, tensors, *rest):
        sent.extend(tensors)
        return broadcast(group, tensors, *rest)

    dist._broadcast_coalesced = counting
    wrapped = MMDistributedDataParallel(model, device_ids=None, broadcast_buffers=True)
    for _ in range(2):  # the second step would hang or fail if a parameter had been unused in the first
        ours = step(wrapped, model, student, size, clips=2, first=2 * dist.get_rank())
    worst = max((ours[name] - alone[name]).abs().max().item() for name in alone)
    scale = max(gradient.abs().max().item() for gradient in alone.values())
    teacher = model.teachers['teacher'].module
    foreign = {t.data_ptr() for t in [*teacher.parameters(), *teacher.buffers()]}
    report = dict(
        worst=worst / scale,
        teacher_tensors_sent=sum(t.data_ptr() in foreign for t in sent),
        in_reducer=sum(p.numel() for p in wrapped._module_parameters),
        expected=sum(p.numel() for p in model.parameters() if p.requires_grad),
        sent=len(sent),
        spread=states_at_start(wrapped, model),
        learning=learning_teachers.on_two_ranks(*learning),
    )
    if dist.get_rank() == 0:
        Path(out).write_text(json.dumps(report))
    dist.barrier()
    os._exit(0)  # gloo sometimes aborts an interpreter that is taken down: see compat/gloo_exit.py


if __name__ == '__main__':
    main(sys.argv[1])
