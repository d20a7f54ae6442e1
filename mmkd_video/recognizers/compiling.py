"""``torch.compile`` for the parts of a recognizer between the places where it is read."""

import importlib
from collections.abc import Mapping
from typing import Any

import torch._functorch.config
from torch import nn

from mmkd_video.core.checked import AnyOf, Class, Flag, OneOf, Optional, Settings, Text, table_of
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.precision import PARTS, is_in_half

COMPILE = AnyOf(Flag(), Settings("a dict of arguments of torch.compile, dict(backend='inductor')"))
OPTIONS = table_of(
    'compile',
    dict(
        backend=AnyOf(Text("the name of a backend, 'inductor'"), Class()),
        mode=Optional(OneOf('default', 'reduce-overhead', 'max-autotune', 'max-autotune-no-cudagraphs')),
        dynamic=Optional(Flag(), 'found'),
        fullgraph=Flag(),
        options=Optional(Settings('a dict of options of the backend')),
        disable=Flag(),
        target=OneOf('train_step', 'forward'),
    ),
)
MMENGINES = 'target'  # what MMEngine would compile; the parts of a recognizer are compiled instead


def compile_options(where: str, asked: bool | Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the arguments for ``torch.compile``, or None where nothing is to be compiled.

    Args:
        where: Dotted name of the setting, for messages.
        asked: Value of the setting: True, False, or a dict of arguments.

    Raises:
        KeyError: An argument that ``torch.compile`` does not have.
        ValueError: Neither of these, or an argument of a wrong kind.
    """
    COMPILE.check(where, asked)
    if isinstance(asked, bool):
        return {} if asked else None
    OPTIONS.check(where, asked)
    return {key: value for key, value in asked.items() if key != MMENGINES}


def compile_parts(model: nn.Module, options: Mapping[str, Any]) -> list[str]:
    """Compile backbone and neck of a recognizer in place, in pieces where hooks read what is inside.

    A module with a hook on it or inside it stays as it is, and its children are compiled each for itself. So a hook
    sees tensors of the graph that goes on through the model, as without compilation, and gradients to them exist. Heads
    stay as they are: they are cheap, and their dropout draws what it draws without compilation. So does a module whose
    activations are computed again in the backward pass. Names of modules and of parameters do not change.

    Args:
        model: A recognizer whose hooks are all registered.
        options: Arguments of ``torch.compile``.

    Returns:
        Dotted names of the modules that will be compiled when they are called.

    Raises:
        ValueError: Inductor is to compile for a CPU, and finds no C++ compiler.
    """
    if options.get('backend', 'inductor') == 'inductor' and next(model.parameters()).device.type == 'cpu':
        _expect_cpp_compiler()
    # gradients are measured beside the step's own backward pass, which then finds its buffers still there
    torch._functorch.config.donated_buffer = False
    found = []
    for name in PARTS:
        part = getattr(model, name, None)
        if isinstance(part, nn.Module):
            found += _compile(part, name, options)
    return found


def _expect_cpp_compiler() -> None:
    try:
        importlib.import_module('torch._inductor.cpp_builder').get_cpp_compiler()
    except (ImportError, AttributeError):
        return  # another version of torch, which will say itself what it lacks
    except RuntimeError:
        raise WrongValueError(
            "compile: torch.compile's backend 'inductor' found no C++ compiler; install g++, name another in "
            "the variable CXX, or take a backend without one: compile=dict(backend='aot_eager')"
        ) from None


def _compile(module: nn.Module, name: str, options: Mapping[str, Any]) -> list[str]:
    if _recomputes(module):
        return []
    if any(_has_hooks(each) or _recomputes(each) for each in module.modules()):
        children = module.named_children()
        return [each for key, child in children for each in _compile(child, f'{name}.{key}', options)]
    if not any(True for _ in module.children()):
        return []  # one operation gains nothing
    module.compile(**options)
    return [name]


def _has_hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


def _recomputes(module: nn.Module) -> bool:
    """Tell whether a block's ``with_cp`` or MMEngine's ``activation_checkpointing`` is on in a module itself."""
    if 'forward' in vars(module) and not is_in_half(module):
        return True
    asked = [each for each in module.modules() if getattr(each, 'with_cp', False)]
    return asked == [module]  # a backbone has the flag, too, but it is its blocks that recompute
