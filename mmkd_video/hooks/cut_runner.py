"""One pruning step on all that a runner holds of its model."""

import copy
import gc

from mmengine.hooks import EMAHook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn

from mmkd_video.pruning import PruningStep, TensorCuts, apply_step, carry_over, surviving_channels


def inner_model(runner: Runner) -> nn.Module:
    """Return a runner's model without its wrapper."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def prunable(runner: Runner) -> nn.Module:
    """Return what of a runner's model is pruned: the student of a distillation, or the recognizer itself."""
    model = inner_model(runner)
    return getattr(model, 'prunable', model)


def cut(runner: Runner, step: PruningStep) -> None:
    """Do one step on everything that a runner holds of its model: the model, EMA copies, optimizer, DDP.

    Args:
        runner: Between two iterations, or before it loads a checkpoint.
        step: Found on its model as it is now.
    """
    model = inner_model(runner)
    averages = [hook.ema_model for hook in runner.hooks if isinstance(hook, EMAHook) and hasattr(hook, 'ema_model')]
    changed = _cut_model(model, step)
    for average in averages:
        _cut_model(average.module, step)
        kind = average.module.state_dict() if average.update_buffers else dict(average.module.named_parameters())
        average.avg_parameters = kind
    if isinstance(runner.optim_wrapper, OptimWrapper):
        carry_over(runner.optim_wrapper.optimizer, changed)
        if hasattr(model, 'regroup'):
            model.regroup(runner.optim_wrapper)
    if is_model_wrapper(runner.model):
        compiled = 'train_step' in vars(runner.model)
        runner.model = model
        gc.collect()  # the old reducer holds gradient accumulators of the old shapes
        runner.model = runner.wrap_model(copy.deepcopy(runner.cfg.get('model_wrapper_cfg')), model)
        if compiled:
            runner._maybe_compile('train_step')


def _cut_model(model: nn.Module, step: PruningStep) -> TensorCuts:
    student = getattr(model, 'prunable', model)
    if not hasattr(model, 'refit'):
        return apply_step(student, step)
    kept = surviving_channels(student, step.cuts, model.tap_features)
    changed = apply_step(student, step)
    return {**changed, **model.refit(kept)}
