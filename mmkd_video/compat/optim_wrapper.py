"""A feature: a model builds its own optimizer.

MMEngine applies the optimizer constructor of a config to the whole model, whatever the model is made of: its runner
calls ``build_optim_wrapper(model, cfg)`` with the model it holds, and a model has no way to say that a constructor
(TSM's, layer decay) is meant for one of its parts.

Here a model that defines ``build_optim_wrapper(cfg) -> OptimWrapper`` is asked; every other model goes the stock way.
While a model is being asked, a call for that same model goes the stock way too, so nothing recurses.
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from mmkd_video.compat.patching import after_import, wrap

BUILDER = 'mmengine.optim.optimizer.builder'
# Modules that hold the function by name, where they are imported before the patch.
HOLDERS = ('mmengine.optim.optimizer', 'mmengine.optim', 'mmengine.runner.runner', 'mmengine._strategy.base')


def _ask_the_model(build: Callable) -> Callable:
    being_asked: list[int] = []

    def build_optim_wrapper(model: Any, cfg: Any) -> Any:
        from mmengine.model import is_model_wrapper

        inner = model.module if is_model_wrapper(model) else model
        ask = getattr(inner, 'build_optim_wrapper', None)
        if not callable(ask) or id(inner) in being_asked:
            return build(model, cfg)
        being_asked.append(id(inner))
        try:
            return ask(cfg)
        finally:
            being_asked.remove(id(inner))

    return build_optim_wrapper


def _patch(module: ModuleType) -> None:
    original = module.build_optim_wrapper
    wrap(module, 'build_optim_wrapper', _ask_the_model)
    for name in HOLDERS:
        holder = sys.modules.get(name)
        if holder is not None and vars(holder).get('build_optim_wrapper') is original:
            holder.build_optim_wrapper = module.build_optim_wrapper


def applies() -> bool:
    """Return True: no MMEngine of the supported range asks the model."""
    return True


def apply() -> None:
    """Wrap the builder when MMEngine's optimizers are imported."""
    after_import(BUILDER, _patch)
