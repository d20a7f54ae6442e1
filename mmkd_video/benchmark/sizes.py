"""Sizes of weights."""

import io

import torch
from torch import Tensor


def tensor_bytes(value: object) -> int:
    """Return the bytes of all tensors in nested containers; memory that several tensors share counts once.

    Args:
        value: A ``state_dict``, a checkpoint, or anything else of mappings, lists and tuples.
    """
    return sum(_storages(value).values())


def file_bytes(value: object) -> int:
    """Return the size of the file that ``torch.save`` makes of ``value``."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getbuffer().nbytes


def _storages(value: object) -> dict[tuple, int]:
    """Bytes by storage: a view of a large tensor is saved with all of it."""
    if isinstance(value, Tensor):
        storage = value.untyped_storage()
        return {(str(value.device), storage.data_ptr() or id(value)): storage.nbytes()}
    found: dict[tuple, int] = {}
    if hasattr(value, 'values'):
        value = value.values()
    elif not isinstance(value, list | tuple | set):
        return found
    for item in value:
        found.update(_storages(item))
    return found
