"""The layout of a model's convolutions in memory: as built, or channels last where that is faster."""

import copy
import statistics
import types
from collections.abc import Callable, Mapping
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import nn

from mmkd_video.benchmark.interleaved import Rounds, measure_interleaved
from mmkd_video.core.checked import AnyOf, Flag, OneOf, Whole, checked
from mmkd_video.core.registry import HOOKS
from mmkd_video.core.restoring import random_state_restored
from mmkd_video.hooks.model_contract import HasStudent, ability_of, parts_of_teachers
from mmkd_video.hooks.model_wrapper import unwrapped_model, wrap_again
from mmkd_video.pruning.copying import copy_without_hooks
from mmkd_video.recognizers.input_form import Inputs, shallow

AS_BUILT, LAST = 'as built', 'channels last'
FORMATS = {nn.Conv2d: torch.channels_last, nn.Conv3d: torch.channels_last_3d}


@HOOKS.register_module()
@checked(channels_last=AnyOf(Flag(), OneOf('auto')), rounds=Whole(1))
class MemoryFormatHook(Hook):
    """Lay the weights of convolutions out with channels last, in student and teachers; maps follow them.

    Weights keep their names, shapes and values; results differ in rounding. With ``'auto'`` both layouts are timed on
    the first batch, on copies of the models, for each model apart, and the faster one is kept; all ranks keep the same.
    The timing changes no weight, no statistic and no random state.

    Args:
        channels_last: True, False, or ``'auto'``.
        rounds: Number of passes that are timed of each layout.

    Raises:
        ValueError: A setting is out of range.
    """

    priority = 'LOW'

    def __init__(self, channels_last: bool | str = 'auto', rounds: int = 5) -> None:
        self.channels_last, self.rounds = channels_last, rounds
        self._decided = False

    def before_train(self, runner: Runner) -> None:
        """Decide anew: a hook may serve several trainings."""
        self._decided = False

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Choose the layouts before the first step."""
        if self._decided or self.channels_last is False:
            return
        self._decided = True
        said, changed = [], False
        for name, (network, run) in _networks(runner, data_batch).items():
            chosen, times = LAST, ''
            if self.channels_last == 'auto':
                seconds = self._time(network, run)
                chosen = min(seconds, key=seconds.get)
                times = f' ({LAST} {seconds[LAST] * 1e3:.3g} ms, {AS_BUILT} {seconds[AS_BUILT] * 1e3:.3g} ms)'
            if chosen == LAST:
                lay_out_channels_last(network)
                changed |= name == 'student'
            said.append(f'{name} {chosen}{times}')
        print_log(f'MemoryFormatHook: {", ".join(said)}', logger='current')
        if changed:
            wrap_again(runner)  # buckets of DDP are laid out as the weights were

    def _time(self, network: nn.Module, run: Callable[[nn.Module], None]) -> dict[str, float]:
        device = next(network.parameters()).device
        copies = {AS_BUILT: _copy(network), LAST: _copy(network)}
        lay_out_channels_last(copies[LAST])
        variants = {name: lambda each=each: run(each) for name, each in copies.items()}
        with random_state_restored(device):
            timings = measure_interleaved(variants, Rounds(self.rounds, warmup=1), device=device)
        medians = torch.tensor([statistics.median(timings[name].wall) for name in variants], dtype=torch.float64)
        all_reduce(medians, 'mean')
        return dict(zip(variants, medians.tolist(), strict=True))


def lay_out_channels_last(model: nn.Module) -> None:
    """Lay the weights of all 2-D and 3-D convolutions of a model out with channels last."""
    for layer in model.modules():
        for kind, form in FORMATS.items():
            if isinstance(layer, kind):
                layer.weight.data = layer.weight.data.contiguous(memory_format=form)


def _networks(runner: Runner, batch: Any) -> dict[str, tuple[nn.Module, Callable[[nn.Module], None]]]:
    """Return each network of a model by name, and a function that runs it on a batch as a step does."""
    model = unwrapped_model(runner)
    with random_state_restored(next(model.parameters()).device):
        data = model.data_preprocessor(copy.deepcopy(batch), True)
    with_student, teachers = ability_of(model, HasStudent), parts_of_teachers(model)
    student = model if with_student is None else with_student.student

    def step(network: nn.Module) -> None:
        with runner.optim_wrapper.optim_context(network):
            _total(network.extract_feat(shallow(data['inputs']), stage='head')).backward()
        network.zero_grad()

    found = {'student': (student, step)}
    for name, view in (data.get('views') or {}).items():
        network = getattr(teachers[name], 'module', None)
        if isinstance(network, nn.Module):
            found[name] = network, _answering(view)
    return found


def _answering(view: Inputs) -> Callable[[nn.Module], None]:
    @torch.no_grad()
    def answer(network: nn.Module) -> None:
        network.extract_feat(shallow(view), stage='head')

    return answer


def _total(found: Any) -> torch.Tensor:
    """Return the sum of what a recognizer's head gives: scores, or several by name, beside further arguments."""
    scores = found[0] if isinstance(found, tuple) else found
    each = scores.values() if isinstance(scores, Mapping) else [scores]
    return torch.stack([tensor.float().sum() for tensor in each]).sum()


def _copy(network: nn.Module) -> nn.Module:
    """Return a copy that shares nothing with its original, which MMEngine's activation checkpointing would lead to."""
    copied = copy_without_hooks(network)
    for module in copied.modules():
        if isinstance(vars(module).get('forward'), types.FunctionType):
            del module.forward
    return copied
