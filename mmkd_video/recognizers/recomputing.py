"""Activations that are computed again in the backward pass: by ``with_cp`` of a backbone, or by MMEngine's setting."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any

import mmengine.runner.activation_checkpointing as mmengines
import torch.utils.checkpoint as torchs
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmkd_video.compat.patching import replaced


@contextmanager
def recomputing(model: nn.Module, around: Callable[[], AbstractContextManager] = nullcontext) -> Iterator[None]:
    """Let activation checkpoints of a block's forward pass be such as gradients can be measured through.

    MMAction2 and MMEngine ask for torch's default, the reentrant variant: taps inside it have no gradient, gradients
    to taps before it cannot be measured, and batch norms inside it move their statistics twice a step. The other
    variant takes its place, and the statistics stay as they are in the second pass. Who asks for the reentrant variant
    by name gets it.

    Args:
        model: The model that runs in the block.
        around: Function that returns a context of the block, and of each second pass, which is to go as the first did.
    """
    with ExitStack() as stack:
        stack.enter_context(around())
        for module in (torchs, mmengines):
            own = module.checkpoint
            stack.enter_context(replaced(module, 'checkpoint', partial(_checkpoint, own, model, around)))
        yield


class _SecondPass:
    """:func:`keeping_statistics` and a further context, to be entered for each backward pass of a graph.

    Args:
        model: Model that holds them.
        around: Function that returns the further context.
    """

    def __init__(self, model: nn.Module, around: Callable[[], AbstractContextManager]) -> None:
        self.model, self.around = model, around
        self._entered: list[ExitStack] = []

    def __enter__(self) -> None:
        stack = ExitStack()
        stack.enter_context(keeping_statistics(self.model))
        stack.enter_context(self.around())
        self._entered.append(stack)

    def __exit__(self, *error: object) -> None:
        self._entered.pop().__exit__(*error)


def _checkpoint(
    own: Callable,
    model: nn.Module,
    around: Callable[[], AbstractContextManager],
    function: Callable,
    *arguments: Any,
    use_reentrant: bool | None = None,
    **keywords,
) -> Any:
    if use_reentrant:
        return own(function, *arguments, use_reentrant=True, **keywords)
    keywords.setdefault('context_fn', lambda: (nullcontext(), _SecondPass(model, around)))
    return own(function, *arguments, use_reentrant=False, **keywords)


@contextmanager
def keeping_statistics(model: nn.Module) -> Iterator[None]:
    """Keep the statistics of batch norms while a forward pass is repeated.

    Args:
        model: Model that holds them.
    """
    norms = [each for each in model.modules() if isinstance(each, _BatchNorm)]
    before = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm, _, counted in before:
        norm.momentum = 0.0
        norm.num_batches_tracked = None if counted is None else counted.clone()
    try:
        yield
    finally:
        for norm, momentum, counted in before:
            norm.momentum, norm.num_batches_tracked = momentum, counted
