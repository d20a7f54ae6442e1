"""The wrapper around a model, such as DDP."""

from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """Return a model without its wrapper; itself where it has none.

    Args:
        model: The runner's model.
    """
    return model.module if is_model_wrapper(model) else model
