"""A pruning step on a runner's model and all that belongs to it."""

from mmengine.hooks import EMAHook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn

from mmkd_video.hooks.model_contract import FollowsPruning, ability_of, prunable_part
from mmkd_video.hooks.model_wrapper import unwrapped_model, wrap_again
from mmkd_video.pruning import PruningStep, TensorCuts, apply_step, cut_optimizer_state, surviving_channels


def prune_everywhere(runner: Runner, step: PruningStep) -> None:
    """Apply one pruning step to a runner's model and all that belongs to it: EMA copies, optimizer, DDP.

    Args:
        runner: Runner between two iterations, or before it loads a checkpoint.
        step: Step that was found on its model as it is now.
    """
    model = unwrapped_model(runner)
    averages = [hook.ema_model for hook in runner.hooks if isinstance(hook, EMAHook) and hasattr(hook, 'ema_model')]
    changed = _cut_model(model, step)
    for average in averages:
        _cut_model(average.module, step)
        kind = average.module.state_dict() if average.update_buffers else dict(average.module.named_parameters())
        average.avg_parameters = kind
    if isinstance(runner.optim_wrapper, OptimWrapper):
        cut_optimizer_state(runner.optim_wrapper.optimizer, changed)
        follower = ability_of(model, FollowsPruning)
        if follower is not None:
            follower.regroup(runner.optim_wrapper)
    wrap_again(runner)


def _cut_model(model: nn.Module, step: PruningStep) -> TensorCuts:
    part, follower = prunable_part(model), ability_of(model, FollowsPruning)
    if follower is None:
        return apply_step(part, step)
    kept = surviving_channels(part, step.cuts, follower.tap_features)
    changed = apply_step(part, step)
    for copy in follower.copies:
        changed |= apply_step(copy, step)
    return {**changed, **follower.refit(kept)}
