"""Fine-tuning with frozen layers."""

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from mmkd_video.core.checked import ListOf, OneOf, Optional, Text, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import HOOKS
from mmkd_video.hooks.epochs_done import epochs_done
from mmkd_video.hooks.model_contract import prunable_part
from mmkd_video.hooks.model_wrapper import wrap_again
from mmkd_video.recognizers.layer_order import find_modules

FROZEN, FIXED, MOVING = 'frozen', 'fixed', 'moving'


@HOOKS.register_module()
@checked(
    modules=ListOf(Text('the path of a module, or a pattern'), least=1),
    until=Optional(Whole(1), 'to the end'),
    every=Optional(Whole(1), 'all at once'),
    statistics=OneOf(FROZEN, FIXED, MOVING),
)
class FreezeHook(Hook):
    """Keep modules of a recognizer, or of the student of a distillation, as they are while the rest is trained.

    What is frozen is in no step of the optimizer, sends nothing between processes and needs no backward pass below the
    lowest layer that is trained. The optimizer is built as without the hook, so that rates and decays of what is
    unfrozen later are those of the config. All follows from the epoch: a resumed training goes on in the middle of an
    unfreezing, and checkpoints hold nothing of the hook. DDP is wrapped again at each unfreezing.

    Gradual unfreezing, from the head downwards: Howard and Ruder, Universal Language Model Fine-tuning for Text
    Classification (ULMFiT), 2018, https://arxiv.org/abs/1801.06146.

    Args:
        modules: Paths of modules, such as ``'backbone.layer1'``, or patterns, such as ``'backbone.layer[12]'``; each
            entry is unfrozen as a whole. With ``every``, from the input to the head.
        until: Epoch from which on the last entry of ``modules`` is trained; None: all are frozen to the end.
        every: Number of epochs after which the entry before it follows; None: all are unfrozen at ``until``.
        statistics: ``'frozen'``: norms keep their means and variances, and dropout is off, as long as their module is
            frozen; ``'fixed'``: norms of ``modules`` keep them to the end; ``'moving'``: they go on moving.

    Raises:
        ValueError: ``every`` without ``until``; an entry would be unfrozen after the end; nothing would be trained.
        KeyError: There is no such module.
    """

    priority = 'ABOVE_NORMAL'  # before DistillHook looks at what the optimizer holds

    def __init__(
        self,
        modules: Sequence[str],
        until: int | None = None,
        every: int | None = None,
        statistics: str = FROZEN,
    ) -> None:
        if every is not None and until is None:
            raise WrongValueError(
                f'FreezeHook.every: got {every} without until; expected until=<epoch>, at which the first entry is '
                'unfrozen'
            )
        self.modules, self.statistics = list(modules), statistics
        steps = range(len(self.modules) - 1, -1, -1)
        self.ends = [None if until is None else until + (every or 0) * step for step in steps]
        self._entries: list[list[nn.Module]] = []
        self._frozen: int | None = None

    def before_train(self, runner: Runner) -> None:
        """Find the modules, see that the settings fit the training, and freeze."""
        model = prunable_part(runner.model)
        self._entries = [
            list(find_modules(model, pattern, f'FreezeHook.modules[{index}]').values())
            for index, pattern in enumerate(self.modules)
        ]
        epochs = -(-runner.max_iters // max(len(runner.train_dataloader), 1))
        for pattern, end in zip(self.modules, self.ends, strict=True):
            if end is not None and end >= epochs:
                raise WrongValueError(
                    f'FreezeHook: {pattern!r} would be unfrozen before epoch {end}, after the {epochs} epochs of this '
                    'training; expected an earlier until or every, or until=None to train it never'
                )
        self._frozen = None
        self._freeze(runner, model)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Unfreeze what is due; MMEngine's loops call ``train()`` on the whole model, so set norms again."""
        self._freeze(runner, prunable_part(runner.model))

    def after_train(self, runner: Runner) -> None:
        """Leave a model that can be trained as a whole."""
        for entry in self._entries:
            _set_trained(entry, True)

    def _freeze(self, runner: Runner, model: nn.Module) -> None:
        epoch = epochs_done(runner)
        frozen = [entry for entry, end in zip(self._entries, self.ends, strict=True) if end is None or epoch < end]
        first, self._frozen = self._frozen is None, len(frozen)
        changed = _set_trained([module for entry in self._entries[len(frozen) :] for module in entry], True)
        changed |= _set_trained([module for entry in frozen for module in entry], False)
        if self.statistics != MOVING:
            for module in (module for entry in frozen for module in entry):
                _stop(module, nn.Module)
        if self.statistics == FIXED:
            for module in (module for entry in self._entries for module in entry):
                _stop(module, _NormBase)
        if first or changed:
            self._tell(runner, model)
        if changed:
            wrap_again(runner)

    def _tell(self, runner: Runner, model: nn.Module) -> None:
        counts = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
        trained, total = sum(count for count, needed in counts if needed), sum(count for count, _ in counts)
        if not any(parameter.requires_grad for parameter in runner.model.parameters()):
            raise WrongValueError(f'FreezeHook.modules: got {self.modules}; expected to leave something to train')
        names = ', '.join(self.modules[: self._frozen]) or 'nothing'
        runner.logger.info(
            f'FreezeHook: {names} frozen in epoch {epochs_done(runner) + 1}; {trained / 1e6:.3f} of '
            f'{total / 1e6:.3f} M parameters are trained'
        )


def freeze(model: nn.Module, modules: Sequence[str]) -> None:
    """Freeze modules of a recognizer for good, with the statistics of their norms, as the hook does for a training.

    Args:
        model: Recognizer in training mode.
        modules: Paths or patterns.

    Raises:
        KeyError: There is no such module.
    """
    for index, pattern in enumerate(modules):
        found = list(find_modules(model, pattern, f'FreezeHook.modules[{index}]').values())
        _set_trained(found, False)
        for module in found:
            _stop(module, nn.Module)


def _set_trained(modules: Sequence[nn.Module], trained: bool) -> bool:
    """Set whether parameters are trained; a frozen one keeps no old gradient. Return whether any changed."""
    changed = False
    for parameter in (parameter for module in modules for parameter in module.parameters()):
        if parameter.requires_grad != trained:
            parameter.requires_grad_(trained)
            parameter.grad = None
            changed = True
    return changed


def _stop(module: nn.Module, kind: type) -> None:
    """Put those modules inside of a module that are of a kind into evaluation, each by itself."""
    for each in module.modules():
        if isinstance(each, kind):
            each.training = False
