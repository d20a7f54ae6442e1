"""Stand-ins for the types of NumPy and MMEngine while a checkpoint is read.

A pickle calls what it names and sets the state of what comes out. NumPy's own functions take a state on trust: one that
names objects becomes an array of addresses of the file's choosing. These take only numbers and text, whose count must
be that of the bytes that are there, and build the real thing when everything has been read.
"""

import math
import pickle
import re
from typing import Any

import numpy as np

STATISTICS = ('min', 'max', 'current', 'mean')
MAX_DIMENSIONS = 32
_CODE = re.compile(r'\?|[biufcSU]\d{0,6}')  # numbers, bytes and text; never 'O': an object array can hold anything


class NumberType:
    """Stands in for ``numpy.dtype``.

    Args:
        code: Code as ``numpy.dtype`` writes it: ``'f8'``, ``'U4'``.
        flags: ``align`` and ``copy``, without a meaning here.

    Raises:
        pickle.UnpicklingError: It is no type of numbers or text.
    """

    value: np.dtype | None = None

    def __init__(self, code: str, *flags: Any) -> None:
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise _refused(f'a numpy type {code!r}')
        self.value = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        """Take the byte order; anything else would make another type of it."""
        if self.value is None or not isinstance(state, tuple) or len(state) not in (8, 9):
            raise _refused('a numpy type that is none')
        _, order, *parts = state
        if order not in ('<', '>', '|', '=') or any(part is not None for part in parts[:3]) or any(parts[6:]):
            raise _refused('a numpy type made of others')
        if order in '<>':
            self.value = self.value.newbyteorder(order)


class Array:
    """Stands in for ``numpy.ndarray``."""

    value: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        """Take shape, type and bytes, if there are as many as shape and type say."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise _refused('a numpy array that is none')
        _, shape, kind, by_column, data = state
        if not isinstance(shape, tuple) or len(shape) > MAX_DIMENSIONS or not all(map(_is_size, shape)):
            raise _refused(f'a numpy array of shape {str(shape)[:60]}')
        dtype = _type_of(kind)
        if not isinstance(data, bytes) or math.prod(shape) * dtype.itemsize != len(data):
            raise _refused(f'a numpy array of {str(shape)[:60]} {dtype} without the bytes for it')
        flat = np.frombuffer(data, dtype) if data else np.zeros(0, dtype)
        self.value = flat.reshape(shape, order='F' if by_column else 'C').copy(order='K')


class LogBuffer:
    """Stands in for MMEngine's ``HistoryBuffer``."""

    state: dict | None = None

    def __setstate__(self, state: Any) -> None:
        """Take the logged values and their counts; the buffer's methods are its own, whatever the file says."""
        histories = [state.get(key) for key in ('_log_history', '_count_history')] if isinstance(state, dict) else []
        arrays = [each.value if isinstance(each, Array) else None for each in histories]
        if not arrays or any(each is None or each.ndim != 1 or each.dtype.kind not in 'iuf' for each in arrays):
            raise _refused('a log buffer without its values')
        length = state.get('max_length', 1_000_000)
        if len(arrays[0]) != len(arrays[1]) or not _is_size(length) or length < 1:
            raise _refused('a log buffer with values that are not counted')
        self.state = dict(log_history=arrays[0], count_history=arrays[1], max_length=length)

    @property
    def value(self) -> Any:
        """The real one; None where its state was never set."""
        from mmengine.logging.history_buffer import HistoryBuffer

        return None if self.state is None else HistoryBuffer(**self.state)


def reconstruct(kind: type, shape: Any, code: Any) -> Array:
    """Stand in for ``numpy._core.multiarray._reconstruct``.

    Raises:
        pickle.UnpicklingError: It is not an array that is asked for.
    """
    if kind is not Array:
        raise _refused('a numpy array of another kind')
    return Array()


def scalar(kind: NumberType, data: bytes = b'') -> np.generic:
    """Stand in for ``numpy._core.multiarray.scalar``.

    Raises:
        pickle.UnpicklingError: Bytes and type do not go together.
    """
    dtype = _type_of(kind)
    if not isinstance(data, bytes) or not data or len(data) != dtype.itemsize:
        raise _refused(f'a number of type {dtype} without the bytes for it')
    return np.frombuffer(data, dtype)[0]


def statistic(owner: type, name: str) -> str:
    """Stand in for ``getattr``, which pickle asks for to name a method: the statistics of a log buffer, as names.

    Raises:
        pickle.UnpicklingError: Any other attribute was asked for.
    """
    if owner is LogBuffer and name in STATISTICS:
        return name
    raise _refused(f'getattr({owner!r}, {name!r})')


def no_bytes() -> bytes:
    """Stand in for ``bytes``, which is how pickle writes the empty data of an empty array."""
    return b''


def stand_ins() -> list[tuple[Any, str]]:
    """Return every (stand-in, name in the file)."""
    found: list[tuple[Any, str]] = [
        (LogBuffer, 'mmengine.logging.history_buffer.HistoryBuffer'),
        (statistic, 'builtins.getattr'),
        (no_bytes, 'builtins.bytes'),
        (Array, 'numpy.ndarray'),
        (NumberType, 'numpy.dtype'),
    ]
    for package in ('numpy.core', 'numpy._core'):  # numpy 1 and numpy 2 write different names
        found += [(reconstruct, f'{package}.multiarray._reconstruct'), (scalar, f'{package}.multiarray.scalar')]
    return found


def _type_of(kind: Any) -> np.dtype:
    if not isinstance(kind, NumberType) or kind.value is None:
        raise _refused('a numpy type that is none')
    return kind.value


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**62


def _refused(what: str) -> pickle.UnpicklingError:
    return pickle.UnpicklingError(f'refused {what}')
