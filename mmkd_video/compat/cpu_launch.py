"""``torchrun`` on a machine without GPU fails with ``torch._C has no attribute '_cuda_setDevice'``.

Cause: MMEngine's launchers (``pytorch``, ``slurm``, ``mpi``) call ``torch.cuda.set_device`` whatever the backend, and
MMAction2's configs ask for the backend ``nccl``, which needs a GPU.

Fix, where CUDA is absent only: the launchers run with ``set_device`` silenced for their duration, and ``nccl`` becomes
``gloo``, with a warning.
"""

import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

from mmkd_video.compat.patching import after_import, replaced, wrap

LAUNCHERS = ('_init_dist_pytorch', '_init_dist_slurm', '_init_dist_mpi')


def _without_cuda(launch: Callable) -> Callable:
    import torch

    def init(backend: str, *args: Any, **kwargs: Any) -> None:
        if backend == 'nccl':
            warnings.warn("backend 'nccl' needs a GPU and there is none: using 'gloo'", stacklevel=2)
            backend = 'gloo'
        with replaced(torch.cuda, 'set_device', lambda device: None):
            launch(backend, *args, **kwargs)

    return init


def _patch(module: ModuleType) -> None:
    if applies():
        for name in LAUNCHERS:
            wrap(module, name, _without_cuda)


def applies() -> bool:
    """Return whether no accelerator that MMEngine launches on is present."""
    import torch

    accelerators = ('cuda', 'npu', 'mlu', 'musa')
    return not any(hasattr(torch, name) and getattr(torch, name).is_available() for name in accelerators)


def apply() -> None:
    """Wrap the launchers when MMEngine's are imported."""
    after_import('mmengine.dist.utils', _patch)
