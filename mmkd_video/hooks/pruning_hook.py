"""Pruning while training."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmengine.runner.base_loop import BaseLoop
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mmkd_video.core.checked import Optional, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import HOOKS
from mmkd_video.hooks.model_contract import prunable_part
from mmkd_video.hooks.model_wrapper import unwrapped_model
from mmkd_video.hooks.runner_pruning import prune_everywhere
from mmkd_video.pruning import (
    PRUNING_KEY,
    TARGET,
    Pruner,
    PruningHistory,
    PruningStep,
    fraction_after,
    history_of,
)
from mmkd_video.quantization import has_quantizers

BASE_KEY = 'pruning_base'  # a checkpoint's top-level key: how many steps the recognizer had before the training


@HOOKS.register_module()
@checked(
    further=Pruner,
    target=Optional(TARGET, 'prune nothing'),
    begin=Whole(0),
    end=Optional(Whole(0), 'begin'),
    steps=Whole(1),
    batches=Whole(1),
)
class PruningHook(Hook):
    """Prune a recognizer, or the student of a distillation, step by step while it trains.

    Between two iterations channels leave the model. Parameters stay the same objects, so the optimizer goes on with its
    momentum, cut alike; an EMA copy and the connectors of a distillation are cut with them; DDP is wrapped again. Each
    checkpoint holds the history under the top-level key ``pruning``, as JSON text, beside the plain ``state_dict``, and
    how many of its steps this training began with; a resumed one repeats it before the weights are loaded. A step that
    no checkpoint holds is found again, the same to the bit unless its target is a measured latency. With several ranks,
    rank 0 decides for all.

    Args:
        target: ``dict(params=0.5)``, ``dict(flops=0.5)`` or ``dict(latency=0.5)``: what is left at the end of the
            recognizer that the config builds. None prunes nothing, but keeps the history of a ``PrunedRecognizer`` in
            the checkpoints.
        begin: Epoch (iteration) before which the first step is done, from 0.
        end: Epoch (iteration) before which the last step is done; ``begin`` by default.
        steps: Number of steps, spread evenly from ``begin`` to ``end``.
        by_epoch: Whether ``begin`` and ``end`` are epochs.
        batches: Number of batches over which ``criterion='taylor'`` adds up gradients before a step.
        **settings: ``criterion``, ``scope``, ``keep``, ``round_to``, ``max_ratio``, ``seed`` of
            :class:`~mmkd_video.pruning.Pruner`.

    Raises:
        ValueError: A setting is out of range.
    """

    priority = 'HIGH'  # after the randomness of a step is set, before the training state and the EMA are loaded

    def __init__(
        self,
        target: Mapping[str, float] | None = None,
        begin: int = 1,
        end: int | None = None,
        steps: int = 1,
        by_epoch: bool = True,
        batches: int = 8,
        **settings: Any,
    ) -> None:
        if target is None and (settings or (begin, end, steps) != (1, None, 1)):
            raise WrongValueError(
                f'PruningHook: got {sorted(settings) or "begin, end or steps"} and no target; expected '
                'target=dict(params=0.5), or no other setting where nothing is to be pruned'
            )
        self.pruner = None if target is None else Pruner(target, **settings)
        self.points = step_points(begin, begin if end is None else end, steps) if target is not None else []
        self.by_epoch, self.batches = by_epoch, batches
        self._base = 0  # steps that the recognizer had before this training
        self._gradients: dict[str, Tensor] = {}
        self._seen = 0

    def before_run(self, runner: Runner) -> None:
        """Check that the model can be pruned here, before anything is loaded.

        Raises:
            ValueError: The last step lies behind the end of the training, or the model is wrapped by another than DDP.
        """
        self._base = len(history_of(prunable_part(runner.model)))
        if is_model_wrapper(runner.model) and not isinstance(runner.model, DistributedDataParallel):
            raise WrongValueError(
                f'PruningHook: the model is wrapped by {type(runner.model).__name__}, which shards or copies its '
                'parameters; expected MMDistributedDataParallel'
            )
        if not self.points or not isinstance(runner._train_loop, BaseLoop):
            return
        last, unit = (runner.max_epochs, 'epochs') if self.by_epoch else (runner.max_iters, 'iterations')
        if self.points[-1] >= last:
            raise WrongValueError(
                f'PruningHook.end: got {self.points[-1]}; expected less than the {last} {unit} of this training'
            )

    def last_cut(self, iters_per_epoch: int) -> int:
        """Return the iteration before which the last step is done; -1 where there is none.

        Args:
            iters_per_epoch: Iterations in an epoch of this training.
        """
        done = -1
        for point in self.points:
            due = point * iters_per_epoch if self.by_epoch else point
            done = max(due, done + 1) + (self.batches - 1 if self.pruner.criterion == 'taylor' else 0)
        return done

    @property
    def unfinished(self) -> bool:
        """Whether gradients are being added up for a step; no checkpoint holds them."""
        return self._seen > 0

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Prune when a step is due."""
        if not self._is_due(runner):
            return
        if has_quantizers(prunable_part(runner.model)):
            raise WrongValueError(
                'PruningHook: a step is due, but the model has quantizers already; a quantized model is not pruned: '
                'let QATHook begin later, or prune in a training before'
            )
        model = unwrapped_model(runner)
        if self.pruner.criterion == 'taylor':
            self._add_gradients(model, data_batch)
            if self._seen < self.batches:
                return
        data = model.data_preprocessor(copy.deepcopy(data_batch), False)
        step = self._find(runner, fixed_noise_like(data['inputs'][:1]))
        self._gradients, self._seen = {}, 0
        done = len(history_of(prunable_part(runner.model))) - self._base + 1
        prune_everywhere(runner, step)
        before, after = step.before['params'], step.after['params']
        runner.logger.info(f'pruning step {done} of {len(self.points)}: {before:,} to {after:,} parameters')
        if done == 1 and 'left_whole' in step.settings:
            runner.logger.info(f'left whole: {step.settings["left_whole"]}')

    def after_train(self, runner: Runner) -> None:
        """Log the steps that were not done, because the training ended before all their gradients were added up."""
        done = len(history_of(prunable_part(runner.model))) - self._base
        if done < len(self.points):
            runner.logger.warning(
                f'pruning: only {done} of {len(self.points)} steps were done before the training ended, so the target '
                f'is not reached; begin or end earlier, or give fewer batches than {self.batches}'
            )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the history to a checkpoint."""
        history = history_of(prunable_part(runner.model))
        if len(history):
            checkpoint[PRUNING_KEY], checkpoint[BASE_KEY] = history.to_json(), self._base

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Prune the model as the one in the checkpoint was, before its weights are loaded.

        Raises:
            ValueError: The checkpoint is of a model that was pruned in another way.
        """
        if PRUNING_KEY not in checkpoint:
            return
        history, done = PruningHistory.from_json(checkpoint[PRUNING_KEY]), history_of(prunable_part(runner.model))
        if not history.begins_with(done):
            raise WrongValueError(
                f'the checkpoint was pruned in {len(history)} steps, which do not begin with the {len(done)} of this '
                "model: give PrunedRecognizer the checkpoint's own history, or start from the unpruned recognizer"
            )
        for step in history.steps[len(done) :]:
            prune_everywhere(runner, step)
        # a new training from pruned weights has its own target
        self._base = checkpoint.get(BASE_KEY, self._base) if runner._resume else len(history)

    def _is_due(self, runner: Runner) -> bool:
        done = len(history_of(prunable_part(runner.model))) - self._base
        now = runner.epoch if self.by_epoch else runner.iter
        return done < len(self.points) and self.points[done] <= now

    def _find(self, runner: Runner, inputs: Tensor) -> PruningStep:
        """Let rank 0 find the step; every rank gets it, or the same error."""
        found: list[Any] = [None, None]
        if is_main_process():
            try:
                found[0] = PruningHistory([self._next_step(runner, inputs)]).to_json()
            except (ValueError, RuntimeError, ImportError) as error:  # one rank alone would leave the others waiting
                found[1] = error
        broadcast_object_list(found)
        if found[1] is not None:
            raise found[1]
        return PruningHistory.from_json(found[0]).steps[0]

    def _next_step(self, runner: Runner, inputs: Tensor) -> PruningStep:
        model = prunable_part(runner.model)
        steps, left = history_of(model).steps[self._base :], 1.0
        for step in steps:
            left *= step.after[self.pruner.kind] / step.before[self.pruner.kind]
        wanted = fraction_after(self.pruner.fraction, len(steps) + 1, len(self.points))
        own = {name: parameter.grad for name, parameter in model.named_parameters()}
        for name, parameter in model.named_parameters():
            parameter.grad = self._gradients.get(name, parameter.grad)
        try:
            return self.pruner.find(model, inputs, wanted / left, steps)
        finally:
            for name, parameter in model.named_parameters():
                parameter.grad = own[name]

    def _add_gradients(self, model: nn.Module, data_batch: Any) -> None:
        """Add up the gradients of one batch, without statistics, dropout or a trace in the parameters."""
        student = prunable_part(model)
        named = {name: parameter for name, parameter in student.named_parameters() if parameter.requires_grad}
        modes = {module: module.training for module in model.modules()}
        data = model.data_preprocessor(copy.deepcopy(data_batch), True)
        model.eval()
        try:
            loss, _ = model.parse_losses(model(**data, mode='loss'))
        finally:
            for module, training in modes.items():
                module.training = training
        # not backward(): it would wake DDP's reducer
        gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
        for (name, parameter), gradient in zip(named.items(), gradients, strict=True):
            gradient = torch.zeros_like(parameter) if gradient is None else gradient
            self._gradients[name] = self._gradients.get(name, 0) + gradient
        self._seen += 1


def step_points(begin: int, end: int, steps: int) -> list[int]:
    """Return when each of several steps is due, evenly from ``begin`` to ``end``.

    Raises:
        ValueError: The numbers leave no room for the steps.
    """
    if steps > end - begin + 1 or (steps == 1 and end != begin):
        raise WrongValueError(
            f'PruningHook: {steps} steps do not fit between begin={begin} and end={end}; at most one for each epoch '
            '(iteration), and a single step has begin=end'
        )
    return [begin + round((end - begin) * index / max(steps - 1, 1)) for index in range(steps)]


def fixed_noise_like(inputs: Tensor) -> Tensor:
    """Return noise of the shape of some inputs, the same every time."""
    noise = torch.randn(inputs.shape, generator=torch.Generator().manual_seed(0))
    return noise.to(inputs.device, inputs.dtype)
