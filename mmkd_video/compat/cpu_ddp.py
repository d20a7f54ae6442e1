"""DistributedDataParallel on CPU fails with ``device_ids [0] ... module parameters {device(type='cpu')}``.

Cause: MMEngine's runner always passes ``device_ids=[LOCAL_RANK]``, which torch accepts for GPU modules only.

Fix: ``MMDistributedDataParallel`` drops ``device_ids`` and ``output_device`` for a module that is wholly on the CPU;
for any other module the arguments are untouched.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from mmkd_video.compat.patching import after_import, wrap


def _drop_device_ids(init: Callable) -> Callable:
    def construct(self: Any, module: Any, *args: Any, **kwargs: Any) -> None:
        if all(parameter.device.type == 'cpu' for parameter in module.parameters()):
            kwargs.update({name: None for name in ('device_ids', 'output_device') if name in kwargs})
        init(self, module, *args, **kwargs)

    return construct


def _patch(module: ModuleType) -> None:
    wrap(module.MMDistributedDataParallel, '__init__', _drop_device_ids)


def applies() -> bool:
    """Return whether models are on the CPU here."""
    import torch

    return not torch.cuda.is_available()


def apply() -> None:
    """Wrap the constructor when MMEngine's wrapper is imported."""
    after_import('mmengine.model.wrappers.distributed', _patch)
