"""Whole heads of an attention.

Only some attentions keep working with fewer heads, see :mod:`mmkd_video.recognizers.families`: they read their number
and their own width from attributes. Others divide the width of their input by the number of heads.
"""

import torch
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.pruning.cut import Cut


def find_attentions(model: nn.Module) -> dict[str, nn.Module]:
    """Return every innermost module with a number of heads, by name."""
    found = {}
    for name, module in model.named_modules():
        inner = [child for child in module.modules() if child is not module and hasattr(child, 'num_heads')]
        if hasattr(module, 'num_heads') and not inner:
            found[name] = module
    return found


def head_cuts(name: str, attention: nn.Module, heads: list[int]) -> list[Cut]:
    """Return all cuts that removing some heads of an attention needs.

    Args:
        name: Name of the attention in the model.
        attention: Module with children ``qkv`` and ``proj``.
        heads: Indices of the heads that leave.
    """
    width, number = attention.out_dims, attention.num_heads
    columns = _columns(heads, width // number)
    rows = [part * width + column for part in range(3) for column in columns]
    return [
        Cut(name, 'heads', tuple(heads), number),
        Cut(f'{name}.qkv', 'out', tuple(rows), 3 * width),
        Cut(f'{name}.proj', 'in', tuple(columns), width),
    ]


def head_importance(attention: nn.Module, criterion: str, generator: torch.Generator) -> Tensor | None:
    """Score the heads of an attention by their rows of ``qkv`` and their columns of ``proj``.

    Args:
        attention: Module with children ``qkv`` and ``proj``.
        criterion: Criterion, as in :func:`~mmkd_video.pruning.units.find_units`.
        generator: Generator for ``'random'``.

    Returns:
        ``(heads,)`` with mean 1; None where the criterion has nothing to read (``'bn_scale'``).

    Raises:
        ValueError: There are no gradients for ``'taylor'``.
    """
    number = attention.num_heads
    random = torch.rand(number, generator=generator)
    if criterion == 'bn_scale':
        return None
    if criterion == 'random':
        return random
    weights = [attention.qkv.weight, attention.proj.weight]
    if criterion == 'taylor' and any(weight.grad is None for weight in weights):
        raise WrongValueError(
            "criterion 'taylor' reads gradients, but an attention has none: run backward passes first"
        )
    rows, columns = (
        ((weight * weight.grad).abs() if criterion == 'taylor' else weight.square()).detach() for weight in weights
    )
    total = rows.view(3, number, -1).sum((0, 2)) + columns.view(columns.shape[0], number, -1).sum((0, 2))
    return (total / total.mean()).float().cpu()


def set_heads(attention: nn.Module, number: int) -> None:
    """Set a new number of heads; their size stays."""
    attention.out_dims = attention.out_dims // attention.num_heads * number
    attention.num_heads = number


def _columns(heads: list[int], size: int) -> list[int]:
    return [head * size + place for head in heads for place in range(size)]
