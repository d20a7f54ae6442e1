"""Channels that are there but say nothing: what a pruned model must equal."""

import torch
from torch import nn

from mmkd_video.pruning.cut import Cut
from mmkd_video.pruning.layers import tensors_at


def silence(model: nn.Module, cuts: list[Cut]) -> None:
    """Zero, in place, what :func:`~mmkd_video.pruning.surgery.remove_channels` would remove.

    Args:
        model: Changed in place.
        cuts: Counted on the model as it is now.
    """
    layers = dict(model.named_modules())
    with torch.no_grad():
        for cut in cuts:
            for name, tensor, dim in tensors_at(layers[cut.layer], cut.side):
                if name != 'running_var':
                    tensor.index_fill_(dim, torch.tensor(cut.removed, device=tensor.device), 0)


def make_audible(model: nn.Module, seed: int = 0) -> None:
    """Give a model, in place, positive weights with which every channel has a positive value at every place.

    Args:
        model: Changed in place.
        seed: Of the values.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            fan_in = max(parameter[0].numel(), 1) if parameter.ndim > 1 else 1
            values = torch.rand(parameter.shape, generator=generator) * 0.5 + 0.5
            parameter.copy_(values / fan_in)
        for name, buffer in model.named_buffers():
            if name.endswith('running_mean'):
                buffer.zero_()
            elif name.endswith('running_var'):
                buffer.fill_(1)
