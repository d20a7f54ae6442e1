"""Modules that lose no channels: recurrent layers, and necks that stay whole.

torch-pruning follows every operation. Through the loop of a recurrent layer, sums over pairs of places or
concatenations in time it finds no way, finds a wrong one, or takes hours. So the copy that it traces has simple modules
in their place: a linear layer for each input, from as many channels to as many. What stands before keeps the channels
that these layers read, what stands behind the ones that they give.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from mmkd_video.pruning.copying import copy_without_hooks


class Opaque(nn.Linear):
    """A linear layer in the place of a module that stays whole; the traced copy alone has some.

    Args:
        in_features: Channels that the module reads.
        out_features: Channels that it gives.
        stands_for: Name of the module's class, for messages.
    """

    def __init__(self, in_features: int, out_features: int, stands_for: str) -> None:
        super().__init__(in_features, out_features, bias=False)
        self.stands_for = stands_for


class StandIn(nn.Module):
    """A module that relates all channels that another one reads to all that it gives, and gives them in its shape.

    Args:
        module: The module that stays whole; its class says in ``pruning`` that it does, or it is one of
            ``torch.nn.LSTM`` and ``GRU``.
        inputs: Its inputs.
        output: Its output.
    """

    def __init__(self, module: nn.Module, inputs: object, output: object) -> None:
        super().__init__()
        shape = _first(output).shape
        self.last = isinstance(module, nn.RNNBase)  # where channels stand
        self.around = shape[1:-1] if self.last else shape[2:]
        width = shape[-1] if self.last else shape[1]
        self.layers = nn.ModuleList(
            Opaque(each.shape[-1] if self.last else each.shape[1], width, type(module).__name__)
            for each in _levels(inputs)
        )
        self.nested = isinstance(output, (tuple, list))

    def forward(self, inputs: object, *_: object, **__: object) -> object:
        """Return one tensor of the shape that the module returned, with an empty dict where that returned more."""
        vectors = [each.mean(dim=1) if self.last else _vector(each) for each in _levels(inputs)]
        found = sum(layer(each) for layer, each in zip(self.layers, vectors, strict=True))
        if self.last:
            return found[:, None] * found.new_ones(*self.around, 1), {}
        found = found[(..., *[None] * len(self.around))] * found.new_ones(self.around)
        return (found, {}) if self.nested else found


def replace_opaque(traced: nn.Module, run: Callable[[nn.Module], object]) -> None:
    """Put stand-ins into a model that is to be traced, in place.

    Args:
        traced: Copy of a recognizer, in eval mode.
        run: Function that runs the model once.
    """
    found = {name: module for name, module in traced.named_modules() if _stays_whole(module)}
    outermost = {
        name: module for name, module in found.items() if not any(name.startswith(f'{each}.') for each in found)
    }
    passing = [module for module in traced.modules() if getattr(module, 'pruning', '') == 'through']
    for module in passing:  # each channel by itself
        module.over_time = lambda levels: levels[0]
    if not outermost:
        return
    seen: dict[str, tuple] = {}
    probe = copy_without_hooks(traced)
    for name in outermost:
        probe.get_submodule(name).register_forward_hook(partial(_note, seen, name))
    with torch.no_grad():
        run(probe)
    for name, module in outermost.items():
        if name in seen:
            parent, _, own = name.rpartition('.')
            setattr(traced.get_submodule(parent), own, StandIn(module, *seen[name]))


def _note(seen: dict[str, tuple], name: str, _module: nn.Module, inputs: tuple, output: object) -> None:
    seen[name] = inputs[0], output


def _stays_whole(module: nn.Module) -> bool:
    return isinstance(module, nn.RNNBase) or getattr(module, 'pruning', '') == 'whole'


def _levels(inputs: object) -> list[Tensor]:
    return [inputs] if isinstance(inputs, Tensor) else list(inputs)


def _first(output: object) -> Tensor:
    return output if isinstance(output, Tensor) else output[0]


def _vector(maps: Tensor) -> Tensor:
    return maps.mean(dim=tuple(range(2, maps.ndim))) if maps.ndim > 2 else maps
