"""Which channels of an unpruned model's features a pruned one still has."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from mmkd_video.core.restoring import in_eval
from mmkd_video.pruning.copying import copy_without_hooks
from mmkd_video.pruning.history import PruningStep
from mmkd_video.pruning.surgery import apply_step
from mmkd_video.pruning.zeroing import surviving_channels


def kept_channels(
    model: nn.Module, steps: Sequence[PruningStep], read: Callable[[nn.Module], Mapping[str, Tensor]]
) -> dict[str, Tensor]:
    """Return which channels of a model's features are left after some pruning steps.

    Args:
        model: Model before these steps; it stays as it is.
        steps: Steps in their order.
        read: Function that runs a model on inputs above zero and returns features by name, as
            :func:`~mmkd_video.pruning.surviving_channels` takes them.

    Returns:
        By name, ascending indices of the channels that are left, counted on ``model``.

    Raises:
        ValueError: The steps belong to another model.
    """
    twin = copy_without_hooks(model)
    kept: dict[str, Tensor] = {}
    for step in steps:
        with in_eval(twin):
            left = surviving_channels(twin, step.cuts, lambda: read(twin))
        for name, mask in left.items():
            kept[name] = kept.get(name, torch.arange(len(mask)))[mask]
        apply_step(twin, step)
    return kept
