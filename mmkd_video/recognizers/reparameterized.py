"""Modules that are several layers in training and one at inference: those with timm's protocol."""

import copy

import torch
from torch import Tensor, nn

METHODS = ('fuse', 'reparameterize', 'switch_to_deploy')
"""What makes one layer of a module: ``fuse`` returns it, the others work in place. The first that there is counts."""
TOLERANCE = 1e-4  # of the largest output: another order of summation only
PLACES = 9  # height and width of the map that both are tried on
_CONVOLUTION = nn.modules.conv._ConvNd
_READERS = (_CONVOLUTION, nn.Linear, nn.modules.batchnorm._BatchNorm)


def becomes_one_layer(module: nn.Module) -> bool:
    """Return whether a module has a method that makes one layer of it for inference."""
    return any(callable(getattr(module, name, None)) for name in METHODS)


def reparameterize(network: nn.Module) -> int:
    """Make one layer of every module of a network that can be, in place; what is computed stays the same.

    The modules are those of timm's ``reparameterize_model``: RepVGG and MobileOne blocks, FastViT's mixers, RepViT's
    convolutions with their norms, and any of a user's own with a method of :data:`METHODS`. Each is tried out on noise
    before and after; one that does not compute the same, such as one whose channels were pruned, stays as it was.

    Args:
        network: A network in evaluation mode, of which nothing is trained any more.

    Returns:
        How many modules became one layer.
    """
    total = _count(network)
    found = 0
    for owner in list(network.modules()):
        for name, child in list(owner.named_children()):
            whole = _count(child) == total  # RepViT has a fuse of its own, which returns nothing
            if whole or not becomes_one_layer(child):
                continue
            merged = _merged(child)
            if merged is not None:
                setattr(owner, name, merged)
                found += 1
    return found


def _merged(module: nn.Module) -> nn.Module | None:
    """Return what a module becomes; None where it has become that already, or would compute something else."""
    before = sum(1 for _ in module.modules())
    noise = _noise_for(module)
    try:
        twin = copy.deepcopy(module)
        method = next(name for name in METHODS if callable(getattr(twin, name, None)))
        with torch.no_grad():
            made = getattr(twin, method)()
            made = made if isinstance(made, nn.Module) else twin
            made.requires_grad_(False).eval()
            if sum(1 for _ in made.modules()) >= before or noise is None:
                return None
            expected, got = module(noise), made(noise)
    except Exception:  # of code that is not ours, on a module that may have been changed
        return None
    same = expected.shape == got.shape and (expected - got).abs().max() <= TOLERANCE * expected.abs().max()
    return made if same else None


def _noise_for(module: nn.Module) -> Tensor | None:
    """Return an input for a module, of the channels that its first layer reads."""
    first = next((each for each in module.modules() if isinstance(each, _READERS)), None)
    if first is None:
        return None
    generator = torch.Generator().manual_seed(0)
    if isinstance(first, _CONVOLUTION):
        shape = (2, first.in_channels, *[PLACES] * first.weight[0, 0].ndim)
    elif isinstance(first, nn.BatchNorm2d):
        shape = (2, first.num_features, PLACES, PLACES)
    else:
        shape = (2, first.weight.shape[-1])
    return torch.randn(shape, generator=generator).to(next(module.parameters()))


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
