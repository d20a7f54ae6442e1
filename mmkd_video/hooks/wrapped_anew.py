"""A runner's model whose parameters are others than when it was wrapped."""

import copy
import gc

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn


def bare_model(runner: Runner) -> nn.Module:
    """Return a runner's model without its wrapper."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def wrap_anew(runner: Runner) -> None:
    """Wrap a runner's model again, so that DDP knows its present parameters; nothing where it is not wrapped.

    A step that was compiled is compiled again.
    """
    if not is_model_wrapper(runner.model):
        return
    compiled = 'train_step' in vars(runner.model)
    runner.model = bare_model(runner)
    gc.collect()  # the old reducer holds on to parameters and to gradient accumulators of their old shapes
    runner.model = runner.wrap_model(copy.deepcopy(runner.cfg.get('model_wrapper_cfg')), runner.model)
    if compiled:
        runner._maybe_compile('train_step')
