"""Quantization while training."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import broadcast, broadcast_object_list, is_main_process
from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmengine.runner.base_loop import BaseLoop
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from mmkd_video.core.checked import Flag, Number, OneOf, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import HOOKS
from mmkd_video.hooks.model_contract import prunable_part
from mmkd_video.hooks.model_wrapper import unwrapped_model, wrap_again
from mmkd_video.hooks.pruning_hook import PruningHook
from mmkd_video.quantization import (
    QUANTIZATION_KEY,
    choose_operators,
    has_quantizers,
    insert_quantizers,
    load_quantizers,
    quantizer_parameters,
    quantizer_state,
    quantizer_tensors,
)
from mmkd_video.quantization.nncf_library import PRESETS, preset_of

BATCH = 4  # clips at once in the calibration


@HOOKS.register_module()
@checked(
    begin=Whole(0),
    calibration=Whole(1),
    preset=OneOf(*PRESETS),
    lr_mult=Number(0),
    operators=OneOf('auto', 'compiled', 'torch'),
    freeze_norms=Flag(),
)
class QATHook(Hook):
    """Train a recognizer, or the student of a distillation, with the rounding errors of int8; teachers stay in float.

    From ``begin`` on the backbone computes with weights and activations rounded to 8 bits (NNCF's fake quantization),
    in training and validation. First ranges come from clips of the validation set; then they are trained in a
    parameter group of their own, without weight decay. The ``state_dict`` of a checkpoint has the plain recognizer's
    keys; the quantizers live under the top-level key ``quantization``, as JSON text and tensors, and a resumed training
    takes them up before the weights are loaded. ``tools/quantize.py``, and ``tools/export.py --format openvino``, write
    such a checkpoint as an int8 file with the ranges it was trained with.

    Prune first: a pruned recognizer is quantized like any other, but one with quantizers is not pruned.

    Args:
        begin: Epoch (iteration) before which quantizers are inserted, from 0. 0 for weights that are trained already
            (``load_from``).
        by_epoch: Whether ``begin`` is an epoch.
        calibration: Number of clips for the first ranges.
        preset: ``'mixed'`` (symmetric weights, asymmetric activations) or ``'performance'`` (all symmetric).
        lr_mult: Factor on the learning rate, for the ranges.
        freeze_norms: Whether the batch norms of the student keep the means and variances that they have when quantizers
            come in, so that small batches seen through rounding do not move them.
        operators: ``'compiled'``, ``'torch'`` or ``'auto'``; see :func:`~mmkd_video.quantization.choose_operators`.

    Raises:
        ValueError: A setting is out of range.
        MissingExtraError: NNCF is not installed.
    """

    priority = 'ABOVE_NORMAL'  # after pruning, before the training state of a distillation is loaded and checked

    def __init__(
        self,
        begin: int = 0,
        by_epoch: bool = True,
        calibration: int = 32,
        preset: str = 'mixed',
        lr_mult: float = 1.0,
        operators: str = 'auto',
        freeze_norms: bool = True,
    ) -> None:
        preset_of(preset)
        self.begin, self.by_epoch, self.calibration, self.preset = begin, by_epoch, calibration, preset
        self.lr_mult, self.operators, self.freeze_norms = lr_mult, operators, freeze_norms

    def before_run(self, runner: Runner) -> None:
        """Check that the model can be quantized here, before anything is loaded.

        Raises:
            ValueError: ``begin`` lies behind the end of the training or before a pruning step, or another part of the
                runner cannot work with quantizers.
            RuntimeError: ``operators='compiled'`` without compilers.
        """
        chosen = choose_operators(self.operators, next(runner.model.parameters()).is_cuda)
        if chosen == 'torch' and self.operators == 'auto':
            runner.logger.info(
                'QATHook: no C++ compiler and ninja on the PATH, so fake quantization is computed by torch, more slowly'
            )
        if is_model_wrapper(runner.model) and not isinstance(runner.model, DistributedDataParallel):
            raise WrongValueError(
                f'QATHook: the model is wrapped by {type(runner.model).__name__}, which shards or copies its '
                'parameters; expected MMDistributedDataParallel'
            )
        if not isinstance(runner._train_loop, BaseLoop):
            return
        if any(isinstance(hook, EMAHook) for hook in runner.hooks):
            raise WrongValueError(
                'QATHook: an EMAHook averages a copy that has no quantizers; leave one of the two out'
            )
        if runner.cfg.get('compile'):
            raise WrongValueError('QATHook: quantizers do not work in a compiled model; leave out compile')
        last, unit = (runner.max_epochs, 'epochs') if self.by_epoch else (runner.max_iters, 'iterations')
        if self.begin >= last:
            raise WrongValueError(
                f'QATHook.begin: got {self.begin}; expected less than the {last} {unit} of this training'
            )
        for hook in runner.hooks:
            if isinstance(hook, PruningHook) and hook.points:
                self._expect_after(hook, len(runner.train_dataloader))

    def _expect_after(self, pruning: PruningHook, iters_per_epoch: int) -> None:
        begin, cut = self.begin * iters_per_epoch if self.by_epoch else self.begin, pruning.last_cut(iters_per_epoch)
        if cut > begin:
            raise WrongValueError(
                f'QATHook.begin: got {self.begin}, but pruning ends at {pruning.points[-1]}, which is iteration {cut}, '
                f'and this is iteration {begin}; a quantized model is not pruned: begin later, or prune in a training '
                'before'
            )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Insert the quantizers when they are due; keep the batch norms of a student that has them as they are."""
        self._insert(runner)
        if self.freeze_norms and has_quantizers(_student(runner)):
            for module in _student(runner).modules():
                if isinstance(module, _BatchNorm):
                    module.eval()

    def _insert(self, runner: Runner) -> None:
        now = runner.epoch if self.by_epoch else runner.iter
        if now < self.begin or has_quantizers(_student(runner)):
            return
        found: list[Any] = [None, None]
        if is_main_process():
            try:
                insert_quantizers(_student(runner), self._clips(runner), self.preset)
                found[0] = quantizer_state(_student(runner))
            except (
                ValueError,
                RuntimeError,
                ImportError,
                OSError,
            ) as error:  # one rank alone would leave others waiting
                found[1] = error
        broadcast_object_list(found)
        if found[1] is not None:
            raise found[1]
        self._load_quantizers(runner, found[0])
        runner.logger.info(
            f'the student trains in int8 from here, with {len(quantizer_parameters(_student(runner)))} ranges'
        )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the quantizers to a checkpoint."""
        state = quantizer_state(_student(runner))
        if state is not None:
            checkpoint[QUANTIZATION_KEY] = state

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take the quantizers of a checkpoint, before its weights and its optimizer are loaded."""
        if QUANTIZATION_KEY in checkpoint and not has_quantizers(_student(runner)):
            self._load_quantizers(runner, checkpoint[QUANTIZATION_KEY])

    def _load_quantizers(self, runner: Runner, state: Mapping) -> None:
        student = _student(runner)
        if not has_quantizers(student):
            load_quantizers(student, state)
        for tensor in quantizer_tensors(student):
            broadcast(tensor.data)
        if isinstance(runner.optim_wrapper, OptimWrapper):
            self._add_group(runner, quantizer_parameters(student))
        wrap_again(runner)

    def _add_group(self, runner: Runner, parameters: list[nn.Parameter]) -> None:
        optimizer = runner.optim_wrapper.optimizer
        group = {key: value for key, value in optimizer.param_groups[0].items() if key != 'params'}
        for key in ('lr', 'initial_lr'):
            if key in group:
                group[key] = group[key] * self.lr_mult
        optimizer.add_param_group({**group, 'params': parameters, 'weight_decay': 0.0})
        place = len(optimizer.param_groups) - 1  # schedulers see one more, MMEngine's of the base rate, at the end
        for scheduler in runner.param_schedulers or ():
            values = list(scheduler.base_values)
            own = values[0] * (self.lr_mult if scheduler.param_name == 'lr' else 1)
            scheduler.base_values = [*values[:place], own, *values[place:]]

    def _clips(self, runner: Runner) -> list[Tensor]:
        if runner.val_loop is None:
            raise WrongValueError(
                'QATHook takes its first ranges from the validation set; the config has no val_dataloader'
            )
        dataset, model = runner.val_loop.dataloader.dataset, unwrapped_model(runner)
        count = min(self.calibration, len(dataset))
        indices = np.unique(np.linspace(0, len(dataset) - 1, count).round().astype(int))
        batches = [indices[start : start + BATCH] for start in range(0, len(indices), BATCH)]
        with torch.no_grad():
            return [
                model.data_preprocessor(pseudo_collate([dataset[int(index)] for index in batch]), False)['inputs']
                for batch in batches
            ]


def _student(runner: Runner) -> nn.Module:
    return prunable_part(runner.model)
