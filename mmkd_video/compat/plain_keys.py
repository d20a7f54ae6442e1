"""Checkpoints of ``FlexibleRunner`` with ``DDPStrategy`` carry the prefix ``module.`` in every key.

Cause: MMEngine 0.10's strategies save ``self.model.state_dict()``, whatever wraps the model; its ``Runner`` unwraps it.

Mend: the strategies save what the plain model would. Both kinds load as before.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from mmkd_video.compat.patching import after_import, replaced, wrap


def _unwrapped(model_state_dict: Callable) -> Callable:
    def of_the_model(self: Any) -> dict:
        from torch.nn.parallel import DistributedDataParallel

        if not isinstance(self.model, DistributedDataParallel):
            return model_state_dict(self)
        with replaced(self, 'model', self.model.module):
            return model_state_dict(self)

    return of_the_model


def _mend(module: ModuleType) -> None:
    wrap(module.BaseStrategy, 'model_state_dict', _unwrapped)


def applies() -> bool:
    """Return True: all of the supported range save the wrapper's keys."""
    return True


def apply() -> None:
    """Wrap the method when MMEngine's strategies are imported; that of FSDP has its own."""
    after_import('mmengine._strategy.base', _mend)
