"""Units of pruning: sets of channels that must be removed together, found by torch-pruning's dependency graph."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from types import ModuleType

import torch
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError, name_of_kind
from mmkd_video.core.optional_packages import import_extra
from mmkd_video.pruning.copying import copy_without_hooks
from mmkd_video.pruning.cut import Cut
from mmkd_video.pruning.heads import find_attentions, head_cuts, head_importance
from mmkd_video.pruning.layers import reason_against_pruning
from mmkd_video.pruning.opaque import replace_opaque
from mmkd_video.pruning.shift import disable_shifts
from mmkd_video.recognizers.families import has_separable_heads

_GIVING = (nn.modules.conv._ConvNd, nn.Linear)
SCORES = 'it gives the class scores'
CRITERIA = ('magnitude', 'bn_scale', 'taylor', 'random')


@dataclass
class Unit:
    """Channels that stand in many layers at once: a residual stream, the inside of a block.

    Attributes:
        name: The layer that gives the channels.
        size: Number of channels.
        importance: ``(size,)``, mean 1; the least important go first.
        least: Number of channels that must stay.
    """

    name: str
    size: int
    importance: Tensor
    least: int = 1


@dataclass
class Units:
    """All units of a model.

    Attributes:
        units: Units that can be pruned.
        left: Reasons why the others cannot be, by the name of the layer that gives the channels.
    """

    units: list[Unit]
    left: dict[str, str]
    _graph: object = field(repr=False)
    _layers: dict = field(repr=False)

    def cuts_for(self, unit: Unit, removed: list[int]) -> list[Cut]:
        """Return all cuts that removing some channels of a unit needs."""
        root = self._layers[unit.name]
        if has_separable_heads(root):
            return head_cuts(unit.name, root, removed)
        remove_out = self._graph.get_pruner_of_module(root).prune_out_channels
        return _cuts_of(self._graph, self._graph.get_pruning_group(root, remove_out, removed))


def find_units(model: nn.Module, inputs: Tensor, criterion: str, keep: tuple[str, ...] = (), seed: int = 0) -> Units:
    """Trace a model and score its channels.

    Args:
        model: A recognizer, or any module; it is copied, not touched.
        inputs: One batch as its ``forward`` takes it.
        criterion: ``'magnitude'``: L2 norm over all layers of a unit (Li et al., https://arxiv.org/abs/1608.08710);
            ``'bn_scale'``: network slimming (Liu et al., https://arxiv.org/abs/1708.06519); ``'taylor'``: weight times
            gradient, read from the parameters' ``.grad`` (Molchanov et al., https://arxiv.org/abs/1906.10771);
            ``'random'``.
        keep: Names or patterns (``'backbone.layer4*'``) of layers that lose no output channel.
        seed: Seed of ``'random'``.

    Raises:
        MissingExtraError: torch-pruning is not installed; the message says how to get it.
        ValueError: The criterion is unknown or cannot score this model, ``keep`` names nothing, nothing can go, or the
            model cannot be traced.
    """
    if criterion not in CRITERIA:
        raise WrongValueError(f'criterion: got {criterion!r}; expected one of {", ".join(CRITERIA)}')
    tp = import_extra('torch_pruning', 'prune')
    _check_keep(model, keep)
    traced = _copy_for_tracing(model)
    replace_opaque(traced, lambda probe: class_scores(probe, inputs))
    graph = tp.DependencyGraph()
    called: list[nn.Module] = []
    watched = [module for module in traced.modules() if isinstance(module, _GIVING)]
    handles = [module.register_forward_hook(lambda module, *_: called.append(module)) for module in watched]
    try:
        with torch.enable_grad():
            graph.build_dependency(traced, inputs, forward_fn=class_scores)
    except Exception as error:  # torch-pruning and the model raise what they like
        reason = (str(error).splitlines() or [''])[0]
        raise WrongValueError(
            f'torch-pruning cannot trace this {type(model).__name__} ({name_of_kind(error)}: {reason})'
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    found = _Scored(graph, tp, criterion, keep, seed, classifier=called[-1])
    for group in graph.get_all_groups(root_module_types=list(_GIVING)):
        found.add(group)
    for name, attention in find_attentions(traced).items():
        found.add_heads(name, attention)
    if not found.units:
        reasons = '\n'.join(f'  {name}: {reason}' for name, reason in list(found.left.items())[:10])
        raise WrongValueError(f'no channel of this {type(model).__name__} can be pruned by {criterion!r}:\n{reasons}')
    return Units(found.units, found.left, graph, dict(traced.named_modules()))


def describe_unpruned(left: Mapping[str, str]) -> str:
    """Describe the layers that stay whole, beside the classifier, such as ``a, b and 9 more (why)``.

    Args:
        left: Attribute ``left`` of :class:`Units`.

    Returns:
        Layers that stay whole for the same reason are one part; empty where there are none.
    """
    groups: dict[str, list[str]] = {}
    for name, reason in left.items():
        if reason != SCORES:
            groups.setdefault(re.sub(r" ?'[^']*'( is )?", '', reason), []).append(name)
    return '; '.join(
        f'{", ".join(names[:2])}{f" and {len(names) - 2} more" if len(names) > 2 else ""} ({reason})'
        for reason, names in groups.items()
    )


def class_scores(model: nn.Module, inputs: Tensor) -> Tensor:
    """Return the class scores of a recognizer, ``(N, K)``, or the output of any other module.

    Args:
        model: The model.
        inputs: ``(N, T, C, H, W)`` or ``(N, M, C, T, H, W)`` for a recognizer.
    """
    if hasattr(model, 'extract_feat'):
        return model(inputs, mode='tensor', stage='head')
    return model(inputs)


class _Scored:
    """Sorts the groups of a dependency graph into units and what is left whole."""

    def __init__(
        self, graph: object, tp: ModuleType, criterion: str, keep: tuple[str, ...], seed: int, classifier: nn.Module
    ) -> None:
        self.units: list[Unit] = []
        self.left: dict[str, str] = {}
        self._graph, self._tp, self._keep, self._classifier = graph, tp, keep, classifier
        self._names = graph._module2name
        self._attention = {m: name for name, layer in find_attentions(graph.model).items() for m in layer.modules()}
        self._generator = torch.Generator().manual_seed(seed)
        self._criterion = criterion
        kinds = dict(
            magnitude=tp.importance.GroupMagnitudeImportance,
            bn_scale=tp.importance.BNScaleImportance,
            taylor=tp.importance.GroupTaylorImportance,
        )
        self._score = kinds[criterion]() if criterion in kinds else None

    def add(self, group: object) -> None:
        root, indices = group[0][0].target.module, group[0][1]
        name = self._names[root]
        reason = self._reason(group) or self._unscored(group)
        if reason is not None:
            self.left[name] = reason
            return
        random = torch.rand(len(indices), generator=self._generator)
        importance = random if self._score is None else self._score(group)
        if importance is None:
            self.left[name] = 'no batch norm scales it' if self._criterion == 'bn_scale' else 'it has no weights'
        else:
            self.units.append(Unit(name, len(indices), importance.float().cpu()))

    def add_heads(self, name: str, attention: nn.Module) -> None:
        if not has_separable_heads(attention):
            self.left[name] = f'a {type(attention).__name__} cannot lose single heads'
            return
        importance = head_importance(attention, self._criterion, self._generator)
        if self._kept(name) or importance is None:
            self.left[name] = 'keep names it' if importance is not None else 'no batch norm scales it'
        elif attention.num_heads > 1:
            self.units.append(Unit(name, attention.num_heads, importance))

    def _kept(self, name: str) -> bool:
        return any(name == each or name.startswith(each + '.') or fnmatch(name, each) for each in self._keep)

    def _reason(self, group: object) -> str | None:
        """Return why a group cannot be pruned."""
        for dependency, _ in group:
            layer, gives = dependency.target.module, self._graph.is_out_channel_pruning_fn(dependency.handler)
            if isinstance(layer, nn.Parameter):
                return f'its channels stand in the parameter {self._graph._param_to_name[layer]!r} as well'
            if dependency.target.type == self._tp.ops.OPTYPE.OUTPUT or (gives and layer is self._classifier):
                return SCORES
            name = self._names.get(layer)
            if name is None or not list(layer.parameters(recurse=False)):
                continue
            if layer in self._attention:
                return f'its channels meet in the attention {self._attention[layer]!r}'
            if gives and self._kept(name):
                return 'keep names it'
            problem = reason_against_pruning(layer)
            if problem is not None:
                return f'{name!r} is {problem}'
        return None

    def _unscored(self, group: object) -> str | None:
        if self._criterion != 'taylor':
            return None
        for dependency, _ in group:
            for parameter in getattr(dependency.target.module, 'parameters', list)():
                if parameter.grad is None:
                    raise WrongValueError(
                        f"criterion 'taylor' reads gradients, but {self._names.get(dependency.target.module)!r} has "
                        'none: run backward passes first, and freeze no layer that is to be pruned'
                    )
        return None


def _cuts_of(graph: object, group: object) -> list[Cut]:
    cuts = []
    for dependency, indices in group:
        layer = dependency.target.module
        name = graph._module2name.get(layer)
        if name is None or isinstance(layer, nn.Parameter) or reason_against_pruning(layer) is not None or not indices:
            continue
        gives = graph.is_out_channel_pruning_fn(dependency.handler)
        size = graph.get_out_channels(layer) if gives else graph.get_in_channels(layer)
        cuts.append(Cut(name, 'out' if gives else 'in', tuple(sorted(map(int, set(indices)))), size))
    return cuts


def _copy_for_tracing(model: nn.Module) -> nn.Module:
    """Return a copy whose whole forward pass can be followed through autograd."""
    traced = copy_without_hooks(model)
    for ours, theirs in zip(model.parameters(), traced.parameters(), strict=True):
        theirs.requires_grad_(True)
        theirs.grad = None if ours.grad is None else ours.grad.detach().clone()
    traced.eval()
    disable_shifts(traced)
    for module in traced.modules():
        if getattr(module, 'with_cp', False):
            module.with_cp = False  # what is recomputed in the backward pass is not in the graph
    return traced


def _check_keep(model: nn.Module, keep: tuple[str, ...]) -> None:
    names = [name for name, _ in model.named_modules()]
    for each in keep:
        if not any(name == each or fnmatch(name, each) for name in names):
            raise WrongValueError(
                f'keep: {each!r} names no layer of {type(model).__name__}; layers are {names[1:8]} ...'
            )
