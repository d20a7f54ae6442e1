"""Zeroed channels: a pruned model must give what the model with zeroed channels gives."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from mmkd_video.pruning.cut import Cut
from mmkd_video.pruning.layers import tensors_at


def zero_channels(model: nn.Module, cuts: list[Cut]) -> None:
    """Zero, in place, what :func:`~mmkd_video.pruning.surgery.remove_channels` would remove.

    Args:
        model: Model that is changed in place.
        cuts: Cuts, counted on the model as it is now.
    """
    layers = dict(model.named_modules())
    with torch.no_grad():
        for cut in cuts:
            for name, tensor, dim in tensors_at(layers[cut.layer], cut.side):
                if name != 'running_var':
                    tensor.index_fill_(dim, torch.tensor(cut.removed, device=tensor.device), 0)


def set_positive_weights(model: nn.Module, seed: int = 0) -> None:
    """Give a model, in place, positive weights with which every channel has a positive value at every place.

    Args:
        model: Model that is changed in place.
        seed: Seed of the values.
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


def surviving_channels(
    model: nn.Module, cuts: list[Cut], read: Callable[[], Mapping[str, Tensor]]
) -> dict[str, Tensor]:
    """Return which channels of a model's features will be left when cuts are made.

    A module may pass on what a layer far above it gave, so this does not follow from the cuts. The model is run once,
    with weights that make every channel positive but the cut ones; then it gets its own weights back.

    Args:
        model: Model that is not yet cut; afterwards it is as it was.
        cuts: Cuts, counted on it.
        read: Function that runs the model, in eval mode and on inputs above zero, and returns features ``(N, C, T, H,
            W)``, ``(N, L, C)`` or ``(N, C)`` by name.

    Returns:
        By name, ``(C,)``: whether the channel stays.
    """
    tensors = [*model.parameters(), *model.buffers()]
    own = [tensor.data.clone() for tensor in tensors]
    set_positive_weights(model)
    zero_channels(model, cuts)
    try:
        features = read()
    finally:
        for tensor, data in zip(tensors, own, strict=True):
            tensor.data.copy_(data)
    surviving = {}
    for name, feature in features.items():
        channels_first = feature.movedim(-1, 0) if feature.ndim == 3 else feature.transpose(0, 1)
        surviving[name] = channels_first.flatten(1).ne(0).any(dim=1).cpu()
    return surviving
