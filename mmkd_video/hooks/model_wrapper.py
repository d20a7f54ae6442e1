"""The wrapper, such as DDP, around a runner's model: removing it and applying it again."""

import copy
import gc

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from mmkd_video.core.model_wrapper import unwrapped


def unwrapped_model(runner: Runner) -> nn.Module:
    """Return a runner's model without its wrapper."""
    return unwrapped(runner.model)


def wrap_again(runner: Runner) -> None:
    """Wrap a runner's model again, so that DDP knows its present parameters; nothing where it is not wrapped.

    A step that was compiled is compiled again.
    """
    if not is_model_wrapper(runner.model):
        return
    compiled = 'train_step' in vars(runner.model)
    runner.model = unwrapped_model(runner)
    gc.collect()  # the old reducer holds on to parameters and to gradient accumulators of their old shapes
    runner.model = runner.wrap_model(copy.deepcopy(runner.cfg.get('model_wrapper_cfg')), runner.model)
    if compiled:
        runner._maybe_compile('train_step')


def take_back_compilation(runner: Runner) -> None:
    """Undo what ``compile`` in a config made of a runner's model; nothing has been compiled before the first call."""
    for name in ('train_step', 'forward'):
        if hasattr(vars(runner.model).get(name), '_torchdynamo_orig_callable'):
            delattr(runner.model, name)
