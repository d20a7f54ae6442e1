"""Teachers that change while they teach, side by side; what two ranks do with them is run by tests/ddp_worker.py."""

import tiny
import torch
import torch.distributed as dist
import zoo
from mmengine.model import MMDistributedDataParallel
from torch import nn

from mmkd_video.core.registry import MODELS

KD = dict(type='KDLoss', at='logits', temperature=1.0)


def config(dropout=0.0):
    """Return a distiller with a moving average, a peer, and the student itself as teachers."""
    return dict(
        type='Distiller',
        student=tiny.recognizer(dropout=dropout),
        teacher=dict(
            average=dict(type='EMATeacher', momentum=0.75),
            peer=dict(type='PeerTeacher', config=tiny.recognizer(12, dropout)),
            itself=dict(type='SelfTeacher', exits=['backbone.layer1.0'], feature_weight=0.1),
        ),
        terms=[
            dict(KD, teacher='average', weight=0.5),
            dict(KD, teacher='peer', weight=0.5, name='kd_peer'),
            dict(type='FitNetLoss', at=('backbone.layer1.0', 'pooled'), teacher='itself', weight=0.1),
        ],
        input_size=tiny.SIZE,
    )


def build():
    """Build the same distiller everywhere, with batch statistics off."""
    torch.manual_seed(0)
    model = MODELS.build(config())
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train = lambda mode=True: None
            module.training = False
    model.set_progress(0, 0, 1, 10)
    return model


def step(wrapped, model, clips, first):
    """Run one backward pass on clips ``first`` to ``first + clips`` and return all gradients by name."""
    wrapped.zero_grad()
    data = model.data_preprocessor(zoo.batch_for(tiny.recognizer(), tiny.SIZE, clips=clips, seed=first), True)
    model.parse_losses(wrapped(**data, mode='loss'))[0].backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}


def alone():
    """Return the model and the gradients that one process has on four clips."""
    model = build()
    return model, step(model, model, clips=4, first=0)


def on_two_ranks(model, gradients):
    """Compare with one process, then train for two steps; return how far the two training states are apart."""
    wrapped = MMDistributedDataParallel(model, device_ids=None)
    ours = step(wrapped, model, clips=2, first=2 * dist.get_rank())
    worst = max((ours[name] - gradients[name]).abs().max().item() for name in gradients)
    wrapper = model.build_optim_wrapper(dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9)))
    began = {key: value.clone() for key, value in model.training_state_dict().items()}
    for number in range(2):
        step(wrapped, model, clips=2, first=2 * dist.get_rank() + number)
        wrapper.optimizer.step()
        model.after_step()
    now = model.training_state_dict()
    state = torch.cat([tensor.double().flatten() for tensor in now.values()])
    both = [torch.zeros_like(state) for _ in range(dist.get_world_size())]
    dist.all_gather(both, state)
    return dict(
        worst=worst / max(gradient.abs().max().item() for gradient in gradients.values()),
        spread=(both[0] - both[1]).abs().max().item(),
        moved=[key for key, value in began.items() if not torch.equal(now[key], value)],
    )
