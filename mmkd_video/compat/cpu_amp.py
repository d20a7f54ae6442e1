"""``--amp`` on CPU fails with ``AmpOptimizerWrapper is only available training on gpu, npu, mlu or musa``.

Cause: ``AmpOptimWrapper`` asserts an accelerator, though the rest of it works on CPU: MMEngine's autocast takes
bfloat16 there, and torch's GradScaler switches itself off, which is right: bfloat16 has the range of float32.

Fix: the assertion alone is passed on a machine without accelerator. A config that asks for float16 on CPU still fails
in MMEngine's autocast, with its own message.
"""

import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

from mmkd_video.compat.patching import after_import, replaced, wrap


def _pass_the_assertion(module: ModuleType) -> Callable[[Callable], Callable]:
    def make(init: Callable) -> Callable:
        def construct(self: Any, *args: Any, **kwargs: Any) -> None:
            with replaced(module, 'is_cuda_available', lambda: True), warnings.catch_warnings():
                warnings.filterwarnings('ignore', message='.*GradScaler.*')  # that it is off is what we want
                init(self, *args, **kwargs)

        return construct

    return make


def _patch(module: ModuleType) -> None:
    if applies():
        wrap(module.AmpOptimWrapper, '__init__', _pass_the_assertion(module))


def applies() -> bool:
    """Return whether no accelerator that MMEngine trains on is present."""
    import torch

    accelerators = ('cuda', 'npu', 'mlu', 'musa')
    return not any(hasattr(torch, name) and getattr(torch, name).is_available() for name in accelerators)


def apply() -> None:
    """Wrap the constructor when MMEngine's AMP wrapper is imported."""
    after_import('mmengine.optim.optimizer.amp_optimizer_wrapper', _patch)
