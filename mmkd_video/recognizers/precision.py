"""Recognizers that compute in half precision while the rest of a step does not."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

HALVES = {'bf16': torch.bfloat16, 'f16': torch.float16}
PARTS = ('backbone', 'neck')
_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


def compute_in_half(model: nn.Module, dtype: torch.dtype) -> None:
    """Let backbone and neck of a recognizer compute in half precision; the head reads and computes float32.

    Convolutions and linear layers keep their weights in half precision. Norms keep theirs in float32, as under
    autocast.

    Args:
        model: A recognizer that is not trained.
        dtype: ``torch.bfloat16`` or ``torch.float16``.
    """
    for name in PARTS:
        part = getattr(model, name, None)
        if not isinstance(part, nn.Module):
            continue
        for layer in part.modules():
            if isinstance(layer, _LAYERS):
                layer.to(dtype)
        part.forward = _InHalf(part.forward, dtype)


class _InHalf:
    """The forward pass of a part of a model under autocast; what it returns is float32 again.

    Args:
        forward: The part's own forward pass.
        dtype: Precision to compute in.
    """

    def __init__(self, forward: Callable, dtype: torch.dtype) -> None:
        self.forward, self.dtype = forward, dtype

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        tensors = [each for each in (*arguments, *keywords.values()) if isinstance(each, Tensor)]
        kind = tensors[0].device.type if tensors else 'cpu'
        with torch.autocast(kind, self.dtype, cache_enabled=False):
            return in_float32(self.forward(*arguments, **keywords))


def in_float32(value: Any) -> Any:
    """Return a tensor, or those in tuples, lists and dicts, in float32 where they are in half precision."""
    if isinstance(value, Tensor):
        return value.float() if value.dtype in HALVES.values() else value
    if isinstance(value, (tuple, list)):
        return type(value)(map(in_float32, value))
    return {key: in_float32(each) for key, each in value.items()} if isinstance(value, dict) else value


def is_in_half(module: nn.Module) -> bool:
    """Tell whether :func:`compute_in_half` has given a module its forward pass."""
    return isinstance(vars(module).get('forward'), _InHalf)
