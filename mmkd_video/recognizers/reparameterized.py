"""Modules that are several layers in training and one at inference: those with timm's protocol."""

from torch import nn

METHODS = ('fuse', 'reparameterize', 'switch_to_deploy')
"""What makes one layer of a module: ``fuse`` returns it, the others work in place. The first that there is counts."""


def becomes_one_layer(module: nn.Module) -> bool:
    """Return whether a module has a method that makes one layer of it for inference."""
    return any(callable(getattr(module, name, None)) for name in METHODS)
