"""Where the residual branches of a network begin, seen in one forward pass without numbers."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmkd_video.recognizers.reparameterized import becomes_one_layer

FIRST_LAYERS = (nn.Conv2d, nn.modules.batchnorm._BatchNorm, nn.GroupNorm)  # they read channels in dimension 1
SHORTCUT_CONVOLUTIONS = 1
_ADDITIONS = (torch.ops.aten.add.Tensor, torch.ops.aten.add_.Tensor)
_CONVOLUTIONS = (torch.ops.aten.convolution.default,)


@dataclass
class _Call:
    """A module that is being called: its name, the node of its input, and whether it becomes one layer at export."""

    name: str
    source: int | None
    atom: bool


@dataclass
class _Node:
    """A tensor of the forward pass: what it was computed from, by what, inside which calls."""

    parents: tuple[int, ...]
    ancestors: int  # a bit for each node, its own too
    convolution: bool
    addition: bool
    calls: tuple[_Call, ...]


def find_residual_branches(network: nn.Module, shape: Sequence[int] = (1, 3, 224, 224)) -> list[str]:
    """Return the names of the layers that the residual branches of a network begin with, in the order of calls.

    The rule: where two maps are added, and one of them is what the other was computed from, as it is or after at most
    one convolution, the other is a residual branch. Its first layer is the convolution or norm that reads the block's
    input. What becomes one layer at export (modules with ``fuse``, ``reparameterize`` or ``switch_to_deploy``) counts
    as one layer: it may be the first of a branch, nothing inside it is.

    The network runs once, as a copy on torch's meta device, which computes shapes alone.

    Args:
        network: A 2-D network.
        shape: Shape of its input, ``(N, C, H, W)``.

    Raises:
        RuntimeError: As the network raises where it does not take such an input.
    """
    twin = copy.deepcopy(network).to('meta')
    twin.eval()  # of some backbones it returns None
    trace = _Trace()
    with trace.watching(twin), torch.no_grad(), torch.device('meta'):
        frames = torch.empty(*shape, device='meta')
        trace.add_input(frames)
        with trace:
            twin(frames)
    layers = dict(twin.named_modules())
    found: dict[str, None] = {}
    for branch in trace.branches():
        for call in branch:
            if call.atom or isinstance(layers[call.name], FIRST_LAYERS):
                found[call.name] = None
    return list(found)


class _Trace(TorchDispatchMode):
    """Note how the tensors of a forward pass come from each other."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[_Node] = []
        self._kept: list[Tensor] = []  # while a tensor lives, its id is its own
        self._node_of: dict[int, int] = {}
        self._calls: list[_Call] = []

    def __torch_dispatch__(self, func: object, types: object, args: tuple = (), kwargs: dict | None = None) -> object:
        result = func(*args, **(kwargs or {}))
        read = [self._node_of.get(id(each)) for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        parents = tuple(dict.fromkeys(each for each in read if each is not None))
        if parents:
            for each in tree_leaves(result):
                if isinstance(each, Tensor):
                    self._add(each, parents, func)
        return result

    def add_input(self, tensor: Tensor) -> None:
        """Begin with the network's input."""
        self._add(tensor, (), None)

    def _add(self, tensor: Tensor, parents: tuple[int, ...], func: object) -> None:
        number = len(self.nodes)
        ancestors = 1 << number
        for parent in parents:
            ancestors |= self.nodes[parent].ancestors
        adds = func in _ADDITIONS and len(parents) == 2 and tensor.ndim == 4 and not any(c.atom for c in self._calls)
        self.nodes.append(_Node(parents, ancestors, func in _CONVOLUTIONS, adds, tuple(self._calls)))
        self._node_of[id(tensor)] = number
        self._kept.append(tensor)

    @contextmanager
    def watching(self, network: nn.Module) -> Iterator[None]:
        """Note which modules are being called while the block runs.

        Args:
            network: The network. What holds all of its parameters is the network itself, and no layer of it.
        """
        total = _count(network)

        def begin(name: str, module: nn.Module) -> object:
            atom = becomes_one_layer(module) and _count(module) < total

            def note(_module: nn.Module, inputs: tuple) -> None:
                source = self._node_of.get(id(inputs[0])) if inputs else None
                self._calls.append(_Call(name, source, atom))

            return note

        def end(_module: nn.Module, _inputs: tuple, _output: object) -> None:
            self._calls.pop()

        for name, module in network.named_modules():
            module.register_forward_pre_hook(begin(name, module))
            module.register_forward_hook(end)
        yield

    def branches(self) -> Iterator[list[_Call]]:
        """Return for each residual branch the calls of the layers that read the block's input."""
        for node in self.nodes:
            if not node.addition:
                continue
            one, other = node.parents
            common = self.nodes[one].ancestors & self.nodes[other].ancestors
            if not common:
                continue
            fork = common.bit_length() - 1  # the latest tensor that both come from
            (short, shortcut), (long, branch) = sorted((self._convolutions(fork, end), end) for end in (one, other))
            if short <= SHORTCUT_CONVOLUTIONS and short < long:
                yield self._readers(fork, branch, shortcut)

    def _convolutions(self, fork: int, end: int) -> int:
        """Return the number of convolutions on the longest way between two tensors."""
        longest = {fork: 0}
        for number in range(fork + 1, end + 1):
            node = self.nodes[number]
            before = [longest[parent] for parent in node.parents if parent in longest]
            if before and self.nodes[end].ancestors >> number & 1:
                longest[number] = max(before) + node.convolution
        return longest[end]

    def _readers(self, fork: int, branch: int, shortcut: int) -> list[_Call]:
        on_branch = self.nodes[branch].ancestors
        on_shortcut = self.nodes[shortcut].ancestors if shortcut != fork else 0
        found = []
        for number in range(fork + 1, branch + 1):
            node = self.nodes[number]
            if fork in node.parents and on_branch >> number & 1 and not on_shortcut >> number & 1:
                call = next((each for each in node.calls if each.atom), node.calls[-1])
                if call.source == fork:
                    found.append(call)
        return found


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
