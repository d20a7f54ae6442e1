"""Ends a training whose losses or parameters are no longer finite."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from mmengine.dist import all_gather_object
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner
from torch import Tensor

from mmkd_video.core.checked import Whole, checked
from mmkd_video.core.mistakes import NotFiniteError
from mmkd_video.core.registry import HOOKS
from mmkd_video.hooks.model_wrapper import unwrapped_model
from mmkd_video.hooks.ranks import on_any_rank

SHOWN = 5


@HOOKS.register_module()
@checked(max_skipped=Whole(1))
class FiniteHook(Hook):
    """End a training at the first loss or parameter that is NaN or infinite; no checkpoint ever holds one.

    Losses are looked at after every step, which costs nothing: MMEngine reads them for its log anyway. Parameters are
    looked at, all in one go, before every checkpoint and after the last step. With several processes all end together,
    with the same message.

    A gradient scaler (fp16) leaves out a step whose gradients overflow and lowers its scale; that is no failure, and
    such a step's losses are only counted.

    Args:
        max_skipped: Steps in a row with a non-finite loss that end a training with a gradient scaler.

    Raises:
        ValueError: ``max_skipped`` is less than 1.
    """

    priority = 'VERY_HIGH'

    def __init__(self, max_skipped: int = 10) -> None:
        self.max_skipped = max_skipped
        self._skipped = 0

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Mapping | None = None
    ) -> None:
        """Check the losses of a step.

        Raises:
            FloatingPointError: One of them is no finite number.
        """
        wrong = not_finite(outputs or {})
        if not on_any_rank(bool(wrong)):
            self._skipped = 0
            if _saves_after_this_iteration(runner):
                _expect_usable(runner, runner.iter + 1)
            return
        self._skipped += 1
        if _scales_gradients(runner) and self._skipped < self.max_skipped:
            return
        lines = [found for found in all_gather_object(_listed(wrong)) if found]
        times = f', as in the {self._skipped} steps up to it' if self._skipped > 1 else ''
        raise NotFiniteError(f'iteration {runner.iter + 1}: {lines[0]}{times}; {_remedy(runner)}')

    def after_train_epoch(self, runner: Runner) -> None:
        """Check the parameters before the checkpoint of an epoch, on every rank.

        Raises:
            FloatingPointError: One of them is no finite number.
        """
        _expect_usable(runner, runner.iter)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check the parameters before any checkpoint.

        Raises:
            FloatingPointError: One of them is no finite number.
        """
        line = _unusable(runner, runner.iter)
        if line:
            raise NotFiniteError(line)


def _expect_usable(runner: Runner, iteration: int) -> None:
    """See on every rank that the parameters can be saved; all raise the same error."""
    lines = [line for line in all_gather_object(_unusable(runner, iteration)) if line]
    if lines:
        raise NotFiniteError(lines[0])


def _unusable(runner: Runner, iteration: int) -> str:
    """Return the message about parameters that are no finite numbers; empty where all are."""
    model = unwrapped_model(runner)
    wrong = unusable_tensors(model.named_parameters(), model.named_buffers())
    if not wrong:
        return ''
    more = f' and {len(wrong) - 1} more' if len(wrong) > 1 else ''
    return (
        f'iteration {iteration}: {wrong[0]}{more} holds NaN or infinite numbers, so no checkpoint is written; '
        f'{_remedy(runner)}'
    )


def not_finite(outputs: Mapping) -> dict[str, float]:
    """Return the losses among a step's outputs that are NaN or infinite.

    Args:
        outputs: Outputs of ``train_step``; their sum is ``loss``.
    """
    if 'loss' in outputs and math.isfinite(_number(outputs['loss'])):
        return {}
    losses = {key: _number(value) for key, value in outputs.items() if 'loss' in key and _is_scalar(value)}
    return {key: value for key, value in losses.items() if not math.isfinite(value)}


def unusable_tensors(parameters: Iterable[tuple[str, Tensor]], buffers: Iterable[tuple[str, Tensor]] = ()) -> list[str]:
    """Return the names of parameters with a non-finite number, and of buffers with a NaN; masks may be infinite.

    Args:
        parameters: Pairs of name and parameter, as of ``named_parameters``.
        buffers: Pairs of name and buffer.
    """
    looked_at = [(name, each.detach(), True) for name, each in parameters if _may_be_wrong(each)]
    looked_at += [(name, each.detach(), False) for name, each in buffers if _may_be_wrong(each)]
    if not looked_at:
        return []
    largest = torch._foreach_norm([each for _, each, _ in looked_at], ord=math.inf)  # NaN where one of them is
    device = largest[0].device
    numbers = torch.stack([each.to(device, torch.float64) for each in largest]).tolist()
    return [
        name
        for (name, _, finite), number in zip(looked_at, numbers, strict=True)
        if math.isnan(number) or (finite and math.isinf(number))
    ]


def _may_be_wrong(tensor: Tensor) -> bool:
    return tensor.numel() > 0 and tensor.is_floating_point()


def _saves_after_this_iteration(runner: Runner) -> bool:
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook) and not hook.by_epoch:
            due = hook.every_n_train_iters(runner, hook.interval, hook.save_begin)
            if due or (hook.save_last and hook.is_last_train_iter(runner)):
                return True
    return False


def _number(value: float | Tensor) -> float:
    return value.item() if isinstance(value, Tensor) else value


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, Tensor) and value.numel() == 1)


def _listed(wrong: Mapping[str, float]) -> str:
    terms = {key: value for key, value in wrong.items() if key != 'loss'} or wrong  # the sum only where nothing else is
    shown = ', '.join(f'{key} is {value}' for key, value in list(terms.items())[:SHOWN])
    return shown + (f' and {len(terms) - SHOWN} more' if len(terms) > SHOWN else '')


def _scales_gradients(runner: Runner) -> bool:
    scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
    return scaler is not None and scaler.is_enabled()


def _remedy(runner: Runner) -> str:
    rates = runner.optim_wrapper.get_lr().get('lr', [])
    wrong = [rate for rate in rates if not math.isfinite(rate)]
    if wrong:
        return f'the learning rate is {wrong[0]}: correct optim_wrapper.optimizer.lr or param_scheduler'
    return (
        'the training ends here, and its last checkpoint is from before; lower the learning rate '
        f'({max(rates, default=0.0):g} now) or the weight of what is named, or clip gradients '
        '(optim_wrapper.clip_grad), then resume'
    )
