"""The content that a checkpoint may have: tensors and plain data."""

import pickle
from collections import Counter, OrderedDict
from typing import Any

import numpy as np
import torch

from mmkd_video.compat.stand_ins import Array, LogBuffer, NumberType

LEAVES = {type(None), bool, int, float, complex, str, bytes, torch.Size, torch.device, torch.dtype}
TENSORS = {torch.Tensor, torch.nn.Parameter}
MAPPINGS = {dict, OrderedDict, Counter}
SMALL = 2**26  # bytes that a tensor may have beyond what the file holds of it: one number, shown many times
STAND_INS = {Array, LogBuffer, NumberType}


def plain_content(loaded: Any) -> Any:
    """Replace stand-ins by the real objects, and check that everything is a tensor or plain data.

    Args:
        loaded: Content that torch read; its containers are changed in place.

    Raises:
        pickle.UnpicklingError: Something else is in it.
    """
    return _StandInReplacement().run(loaded)


class _StandInReplacement:
    """Works through one container after the other, so that depth is no limit; the depth of tuples was checked."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []
        self.done: dict[int, tuple[Any, Any]] = {}  # by id; the original is kept, so that its id stays its own

    def run(self, loaded: Any) -> Any:
        result = self.final(loaded)
        while self.waiting:
            self._inside(self.waiting.pop())
        return result

    def final(self, value: Any) -> Any:
        kind = type(value)
        if kind in LEAVES or isinstance(value, np.generic):
            return value
        if id(value) in self.done:
            return self.done[id(value)][1]
        if kind in STAND_INS:
            found = value.value
            if found is None:
                raise pickle.UnpicklingError('refused an array or log buffer that was never filled')
        elif kind is tuple:
            found = tuple([self.final(each) for each in value])
        elif kind in TENSORS:
            found = _plain_tensor(value)
        elif kind in MAPPINGS or kind in (list, set):
            found = value
            self.waiting.append(value)
        else:
            raise pickle.UnpicklingError(f'refused a {kind.__module__}.{kind.__name__}')
        self.done[id(value)] = (value, found)
        return found

    def _inside(self, container: Any) -> None:
        if type(container) is list:
            container[:] = [self.final(each) for each in container]
            return
        for key in container:
            if self.final(key) is not key and type(key) is not tuple:
                raise pickle.UnpicklingError('refused an array as a key')
        if type(container) is set:
            return
        for key, value in container.items():
            container[key] = self.final(value)
        if vars_of := getattr(container, '__dict__', None):  # the versions that a state_dict carries along
            self.waiting.append(vars_of)


def _plain_tensor(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor._backward_hooks or vars(tensor):
        raise pickle.UnpicklingError('refused a tensor that is more than numbers')
    size, held = tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes()
    if size > max(held, SMALL):
        raise pickle.UnpicklingError(f'refused a tensor of {size} bytes of which the file holds {held}')
    return tensor
