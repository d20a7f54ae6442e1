"""Resuming, ``load_from`` and testing fail with ``UnpicklingError: Weights only load failed ... HistoryBuffer``.

Cause: since torch 2.6 ``torch.load`` reads tensors and plain data only, while MMEngine's checkpoints also hold its log
buffers (``HistoryBuffer``), which are numpy arrays and, through pickle, four of their own methods.

Mend: the protection stays on. The few harmless types are put on torch's list; ``getattr``, which pickle asks for to
name a method, is answered by a function that gives those four methods and nothing else. MMEngine's loader names the
file and the type when it refuses one, and the file when it cannot be read or its checksums, at which torch does not
look, do not match. See https://docs.pytorch.org/docs/stable/notes/serialization.html#weights-only.
"""

import pickle
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from mmkd_video.compat import safe_load
from mmkd_video.compat.patching import after_import, wrap

STATISTICS = ('min', 'max', 'current', 'mean')
_NUMPY_KINDS = 'biufcSU'  # numbers, bytes and text; never 'O': an object array can hold anything


def restricted_getattr(owner: Any, name: str) -> Any:
    """Stand in for ``getattr`` while a checkpoint is read: the statistics of ``HistoryBuffer`` and nothing else.

    Raises:
        pickle.UnpicklingError: Any other attribute was asked for.
    """
    from mmengine.logging.history_buffer import HistoryBuffer

    if owner is HistoryBuffer and name in STATISTICS:
        return vars(HistoryBuffer)[name]
    raise pickle.UnpicklingError(f'Trying to call reduce for unrecognized function getattr({owner!r}, {name!r})')


def allowed_types() -> list[tuple[Any, str]]:
    """Return every (object, name in the file) that may be read beside what torch allows by itself."""
    import numpy as np
    from mmengine.logging.history_buffer import HistoryBuffer

    try:
        from numpy._core import multiarray
    except ImportError:  # numpy 1
        from numpy.core import multiarray

    allowed: list[tuple[Any, str]] = [
        (HistoryBuffer, 'mmengine.logging.history_buffer.HistoryBuffer'),
        (restricted_getattr, 'builtins.getattr'),
        (bytes, 'builtins.bytes'),  # how pickle writes the empty data of an empty array
        (np.ndarray, 'numpy.ndarray'),
        (np.dtype, 'numpy.dtype'),
    ]
    for package in ('numpy.core', 'numpy._core'):  # numpy 1 and numpy 2 write different names
        allowed.append((multiarray._reconstruct, f'{package}.multiarray._reconstruct'))
        allowed.append((multiarray.scalar, f'{package}.multiarray.scalar'))
    kinds = {type(np.dtype(code)) for code in np.typecodes['All'] if np.dtype(code).kind in _NUMPY_KINDS}
    allowed.extend((kind, f'numpy.dtypes.{kind.__name__}') for kind in sorted(kinds, key=lambda kind: kind.__name__))
    return allowed


def allow_types() -> None:
    """Put :func:`allowed_types` on torch's list for ``weights_only=True``; once or often makes no difference."""
    import torch

    torch.serialization.add_safe_globals(allowed_types())


def _name_the_file(load_checkpoint: Callable) -> Callable:
    def load(cls: type, filename: str, *args: Any, **kwargs: Any) -> Any:
        local = Path(filename).expanduser()
        if local.is_file():
            safe_load.expect_whole(local)
        try:
            return load_checkpoint(cls, filename, *args, **kwargs)
        except OSError:
            raise
        except Exception as error:  # torch raises as many types as there are ways to break a file
            if not isinstance(error, pickle.UnpicklingError) and not local.is_file():
                raise
            raise safe_load.explain_any(error, filename) from None

    return load


def _mend_loader(module: ModuleType) -> None:
    allow_types()
    wrap(module.CheckpointLoader, 'load_checkpoint', _name_the_file)


def applies() -> bool:
    """Return whether torch reads weights only by default."""
    import torch

    return hasattr(torch.serialization, '_default_to_weights_only')


def apply() -> None:
    """Extend torch's list and MMEngine's message as soon as MMEngine's checkpoint module is imported."""
    after_import('mmengine.runner.checkpoint', _mend_loader)
