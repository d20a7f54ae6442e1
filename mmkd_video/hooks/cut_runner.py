"""One pruning step on all that a runner holds of its model."""

from mmengine.hooks import EMAHook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn

from mmkd_video.hooks.wrapped_anew import bare_model, wrap_anew
from mmkd_video.pruning import PruningStep, TensorCuts, apply_step, carry_over, surviving_channels


def prunable(runner: Runner) -> nn.Module:
    """Return what of a runner's model is pruned: the student of a distillation, or the recognizer itself."""
    model = bare_model(runner)
    return getattr(model, 'prunable', model)


def cut(runner: Runner, step: PruningStep) -> None:
    """Do one step on everything that a runner holds of its model: the model, EMA copies, optimizer, DDP.

    Args:
        runner: Between two iterations, or before it loads a checkpoint.
        step: Found on its model as it is now.
    """
    model = bare_model(runner)
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
    wrap_anew(runner)


def _cut_model(model: nn.Module, step: PruningStep) -> TensorCuts:
    student = getattr(model, 'prunable', model)
    if not hasattr(model, 'refit'):
        return apply_step(student, step)
    kept = surviving_channels(student, step.cuts, model.tap_features)
    changed = apply_step(student, step)
    return {**changed, **model.refit(kept)}
