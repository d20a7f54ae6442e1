"""The operations of a pickle, checked before anything is built from it.

``torch.load(weights_only=True)`` keeps to a list of types too, but a longer one: sparse, nested and wrapped tensors,
which a checkpoint does not need and which take numbers on trust, and calls of whatever lies on its stack. It also
builds tuples of any depth, and hashing a deep one ends the process. So a file is read twice: here, where its operations
are followed without being done, and then by torch.
"""

import pickle
import pickletools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

MAX_DEPTH = 100  # of tuples and calls within each other; a checkpoint of MMEngine needs 10
MAX_WEIGHT = 10_000_000  # items that hashing a tuple visits

BUILDS = {  # whose state a file may set
    'collections.OrderedDict',
    'numpy.dtype',
    'numpy.core.multiarray._reconstruct',
    'numpy._core.multiarray._reconstruct',
    'mmengine.logging.history_buffer.HistoryBuffer',
}
CALLS = BUILDS | {
    'builtins.getattr',
    'builtins.bytes',
    'builtins.set',
    'builtins.complex',
    'collections.Counter',
    '_codecs.encode',
    'numpy.core.multiarray.scalar',
    'numpy._core.multiarray.scalar',
    'torch.Size',
    'torch.device',
    'torch._utils._rebuild_tensor',
    'torch._utils._rebuild_tensor_v2',
    'torch._utils._rebuild_tensor_v3',
    'torch._utils._rebuild_parameter',
}
NAMES = CALLS | {'numpy.ndarray', 'torch.storage.UntypedStorage'}
_TORCH_KINDS = re.compile(
    r'torch\.(\w+Storage|u?int\d+|float\d\w*|bfloat\d+|complex\d+|bool|half|float|double|short|int|long)'
)
_TUPLES = {'TUPLE', 'TUPLE1', 'TUPLE2', 'TUPLE3'}
_EMPTY = {'EMPTY_LIST': 'list', 'EMPTY_DICT': 'dict'}
_MAPPINGS = ('dict', 'collections.OrderedDict', 'collections.Counter')
_FILLED = {'APPEND': ('list',), 'APPENDS': ('list',), 'SETITEM': _MAPPINGS, 'SETITEMS': _MAPPINGS}
_PLAIN = _TUPLES | {
    *('PROTO', 'STOP', 'NONE', 'NEWTRUE', 'NEWFALSE', 'BININT', 'BININT1', 'BININT2', 'LONG1', 'BINFLOAT'),
    *('BINUNICODE', 'SHORT_BINSTRING', 'EMPTY_TUPLE', 'EMPTY_LIST', 'EMPTY_DICT', 'EMPTY_SET'),
    *('APPEND', 'APPENDS', 'SETITEM', 'SETITEMS', 'BINPERSID'),
}


class RefusedError(pickle.UnpicklingError):
    """A pickle asks for what no checkpoint needs; the message names it."""


@dataclass(frozen=True)
class _Item:
    """What would lie on the stack: how deep it is, how many items it is made of, and the name it came from."""

    depth: int = 0
    weight: int = 1
    name: str = ''
    called: bool = False


class _Mark:
    pass


def scan(file: IO[bytes]) -> None:
    """Follow one pickle to its end, and leave the file there.

    Args:
        file: File that is open at the pickle's beginning.

    Raises:
        RefusedError: It asks for something that is not needed to hold tensors, numbers, text and containers of them.
        ValueError: It is no pickle, or a damaged one.
    """
    _Scan().run(pickletools.genops(file))


class _Scan:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, operations: Iterator[tuple[Any, Any, int | None]]) -> None:
        try:
            for operation, argument, _ in operations:
                self._follow(operation, argument)
        except (IndexError, KeyError) as error:
            raise ValueError(f'it takes what is not there ({type(error).__name__})') from None

    def _follow(self, operation: Any, argument: Any) -> None:
        name = operation.name
        if name == 'GLOBAL':
            self.stack.append(_Item(name=_allowed(*argument.split(' ', 1))))
        elif name in ('BINPUT', 'LONG_BINPUT'):
            self.memo[argument] = self._top()
        elif name in ('BINGET', 'LONG_BINGET'):
            self.stack.append(self.memo[argument])
        elif name in ('REDUCE', 'NEWOBJ'):
            self._call(name)
        elif name == 'BUILD':
            state, target = self._pop(), self._top()
            if not target.called or target.name not in BUILDS:
                raise RefusedError(f'a state for {target.name or "plain data"}')
            self.stack[-1] = self._around([state, target], name=target.name, called=True)
        elif name == 'MARK':
            self.stack.append(_Mark())
        elif name in _PLAIN:
            self._shuffle(operation, name)
        else:
            raise RefusedError(f'the operation {name}')

    def _call(self, how: str) -> None:
        arguments, function = self._pop(), self._pop()
        wanted = CALLS if how == 'REDUCE' else BUILDS
        if function.called or function.name not in wanted:
            raise RefusedError(f'a call of {function.name or "plain data"}')
        self.stack.append(self._around([arguments], name=function.name, called=True))

    def _shuffle(self, operation: Any, name: str) -> None:
        """Follow an operation on plain data by what pickletools knows of it."""
        taken = []
        if pickletools.markobject in operation.stack_before:
            while not isinstance(item := self.stack.pop(), _Mark):
                taken.append(item)
            target = operation.stack_before[0] is not pickletools.markobject
            taken += [self._pop()] if target else []
        else:
            taken = [self._pop() for _ in operation.stack_before]
        for _ in operation.stack_after:
            if name in _TUPLES:
                self.stack.append(self._around(taken))
            elif name in _FILLED:
                self.stack.append(self._filled(taken, name))
            else:  # lists and dicts cannot be hashed, so their weight does not count
                depth = max((each.depth for each in taken), default=0)
                self.stack.append(_Item(depth, 1, _EMPTY.get(name, '')))

    def _filled(self, taken: list[_Item], how: str) -> _Item:
        """Check that items go into containers: torch before 2.10 puts them into any object."""
        owner = taken[-1]
        if owner.name not in _FILLED[how] or (owner.name in CALLS and not owner.called):
            raise RefusedError(f'items for {owner.name or "plain data"}')
        return _Item(max(each.depth for each in taken), 1, owner.name, owner.called)

    def _top(self) -> _Item:
        if isinstance(self.stack[-1], _Mark):
            raise ValueError('it takes what is not there (a mark)')
        return self.stack[-1]

    def _pop(self) -> _Item:
        self._top()
        return self.stack.pop()

    def _around(self, items: list[_Item], name: str = '', called: bool = False) -> _Item:
        depth, weight = 1 + max((item.depth for item in items), default=0), 1 + sum(item.weight for item in items)
        if depth > MAX_DEPTH:
            raise RefusedError(f'tuples nested more than {MAX_DEPTH} deep')
        if weight > MAX_WEIGHT:
            raise RefusedError(f'tuples of more than {MAX_WEIGHT} items')
        return _Item(depth, weight, name, called)


def _allowed(module: str, name: str) -> str:
    full = f'{"builtins" if module == "__builtin__" else module}.{name}'
    if full not in NAMES and not _TORCH_KINDS.fullmatch(full):
        raise RefusedError(full)
    return full
