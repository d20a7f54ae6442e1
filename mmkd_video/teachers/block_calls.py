"""What goes into the blocks of a recognizer and what comes out of them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

BACKBONE = 'backbone'


@dataclass
class BlockCall:
    """One call of a block.

    Attributes:
        given: Tensor that it reads.
        keywords: Its further arguments.
        output: Tensor that it returns.
    """

    given: Tensor
    keywords: dict[str, Any] = field(default_factory=dict)
    output: Tensor | None = None


class BlockCalls:
    """Keep inputs and outputs of some modules in a forward pass, each called once with one tensor.

    Args:
        model: The recognizer.
        names: Paths of the modules in it.
    """

    def __init__(self, model: nn.Module, names: Iterable[str]) -> None:
        self.calls: dict[str, BlockCall] = {}
        self._active = False
        self._handles = []
        for name in names:
            module = model.get_submodule(name)
            before, after = partial(self._begin, name), partial(self._end, name)
            self._handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
            self._handles.append(module.register_forward_hook(after))

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Keep the tensors of the passes in the block, instead of those before."""
        self._active, self.calls = True, {}
        try:
            yield
        finally:
            self._active = False

    def remove(self) -> None:
        """Take the hooks away."""
        for handle in self._handles:
            handle.remove()

    def _begin(self, name: str, _module: nn.Module, args: tuple, keywords: dict) -> None:
        if self._active:  # a copy, since what follows may write over it
            self.calls[name] = BlockCall(args[0].clone(), keywords)

    def _end(self, name: str, _module: nn.Module, _args: tuple, output: Tensor) -> None:
        if self._active:
            self.calls[name].output = output.clone()


def find_blocks(model: nn.Module, run: Callable[[], Any]) -> list[str]:
    """Return the largest parts of a recognizer that can be run by themselves, in their order.

    A part has parameters, and is called once, with one tensor and for one tensor. The backbone as a whole is none.

    Args:
        model: The recognizer.
        run: Function that runs it once.
    """
    alone = parts_that_run_alone(model, run)

    def walk(name: str, module: nn.Module) -> list[str]:
        if name in alone and name != BACKBONE:
            return [name]
        inner = ((f'{name}.{key}' if name else key, child) for key, child in module.named_children())
        return [found for key, child in inner for found in walk(key, child)]

    return walk('', model)


def parts_that_run_alone(model: nn.Module, run: Callable[[], Any]) -> set[str]:
    """Return the paths of all modules with parameters that are called once, with one tensor and for one tensor.

    Args:
        model: The recognizer.
        run: Function that runs it once.
    """
    seen: dict[str, list[bool]] = {}

    def note(name: str, _module: nn.Module, args: tuple, keywords: dict, output: Any) -> None:
        others = any(isinstance(each, Tensor) for each in keywords.values())
        one = len(args) == 1 and isinstance(args[0], Tensor) and isinstance(output, Tensor) and not others
        seen.setdefault(name, []).append(one)

    modules = {
        name: module for name, module in model.named_modules() if name and any(True for _ in module.parameters())
    }
    handles = [module.register_forward_hook(partial(note, name), with_kwargs=True) for name, module in modules.items()]
    try:
        with torch.no_grad():
            run()
    finally:
        for handle in handles:
            handle.remove()
    return {name for name, calls in seen.items() if calls == [True]}
