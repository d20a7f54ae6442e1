"""Copies of models without their hooks."""

import copy
from collections import OrderedDict

from torch import nn

_HOOKS = (
    '_forward_hooks',
    '_forward_hooks_with_kwargs',
    '_forward_hooks_always_called',
    '_forward_pre_hooks',
    '_forward_pre_hooks_with_kwargs',
    '_backward_hooks',
    '_backward_pre_hooks',
)


def copy_without_hooks(model: nn.Module) -> nn.Module:
    """Copy a model without its forward and backward hooks.

    The hooks of a model in training may hold tensors of its last step, which cannot be copied.

    Args:
        model: Model to copy, which keeps its hooks.
    """
    kept = [(vars(module), name) for module in model.modules() for name in _HOOKS if name in vars(module)]
    hooks = [attributes[name] for attributes, name in kept]
    try:
        for attributes, name in kept:
            attributes[name] = OrderedDict()
        return copy.deepcopy(model)
    finally:
        for (attributes, name), own in zip(kept, hooks, strict=True):
            attributes[name] = own
