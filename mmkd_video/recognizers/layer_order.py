"""Modules of a recognizer by name or pattern, and its layers in order from the input to the head."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from mmkd_video.core.checked import did_you_mean
from mmkd_video.core.mistakes import WrongKeyError
from mmkd_video.recognizers.families import layers_of_family

HEAD = 'the rest'  # neck, head, and whatever else is not named


def find_modules(recognizer: nn.Module, pattern: str, where: str) -> dict[str, nn.Module]:
    """Return the modules that a name or a pattern means, without those inside of another one.

    Args:
        recognizer: Recognizer.
        pattern: Path of a module (``'backbone.layer1'``), or a pattern (``'backbone.layer[12]'``, ``'backbone.*'``).
        where: Key that messages name.

    Raises:
        KeyError: No module has such a name.
    """
    found: dict[str, nn.Module] = {}
    names = [name for name, _ in recognizer.named_modules() if name]
    for name, module in recognizer.named_modules():
        inside = any(name.startswith(f'{each}.') for each in found)
        if name and not inside and (name == pattern or fnmatchcase(name, pattern)):
            found[name] = module
    if not found:
        top = ', '.join(name for name, module in recognizer.named_children() if list(module.parameters()))
        raise WrongKeyError(
            f'{where}: {pattern!r} names no module of {type(recognizer).__name__}; expected a path or a pattern, '
            f'below {top}; {did_you_mean(pattern, names) or "see model.named_modules()"}'
        )
    return found


def usual_layers(recognizer: nn.Module) -> list[str]:
    """Return patterns of a backbone's layers, from the input to the end.

    They are the backbone's own children that have parameters, and the entries of such as are lists, in the order in
    which it holds them; norms that stand by themselves belong to the layer before. Of families that hold their layers
    in another order than they compute them, the order is known.

    Args:
        recognizer: Recognizer with a ``backbone``.
    """
    known = layers_of_family(recognizer.backbone)
    if known:
        return [f'backbone.{pattern}' for pattern in known]
    layers: list[str] = []
    for name, child in recognizer.backbone.named_children():
        if not any(True for _ in child.parameters()):
            continue
        if layers and not any(True for _ in child.children()) and 'Norm' in type(child).__name__:
            continue
        layers += _parts(f'backbone.{name}', child)
    return layers


def _parts(path: str, module: nn.Module) -> list[str]:
    """Return the entries of a list of modules, also where the list is all that a module consists of."""
    if isinstance(module, nn.ModuleList):
        return [f'{path}.{index}' for index in range(len(module))]
    children = [(name, child) for name, child in module.named_children() if any(True for _ in child.parameters())]
    if len(children) == 1 and isinstance(children[0][1], nn.ModuleList):
        return _parts(f'{path}.{children[0][0]}', children[0][1])
    return [path]


def depths(recognizer: nn.Module, layers: Sequence[str], where: str) -> dict[str, int]:
    """Return how far below the head each parameter lies: 0 in neck and head, 1 in the last layer, and so on.

    A parameter of the backbone in no layer (a norm, a class token, positions) belongs to the named layer before it in
    the order in which the backbone holds its parameters, or to the first one.

    Args:
        recognizer: Recognizer.
        layers: Names or patterns, from the input to the end.
        where: Key that messages name.

    Raises:
        KeyError: A layer does not exist.
    """
    owner: dict[str, int] = {}
    for index, pattern in enumerate(layers):
        for name in find_modules(recognizer, pattern, f'{where}[{index}]'):
            owner[name] = len(layers) - index
    found, last = {}, len(layers)
    for name, _ in recognizer.named_parameters():
        above = [layer for layer in owner if name.startswith(f'{layer}.')]
        if above:
            found[name] = last = owner[max(above, key=len)]
        else:
            found[name] = last if name.startswith('backbone.') else 0
    return found
