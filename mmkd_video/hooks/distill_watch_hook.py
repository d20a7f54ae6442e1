"""Warnings while a distillation runs, each once and with its remedy."""

import math
from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import Tensor

from mmkd_video.core.checked import Number, checked
from mmkd_video.core.registry import HOOKS
from mmkd_video.hooks.model_contract import HasStudent, ability_of

GRAD, TASK_GRAD = '_grad', '_task_grad'
CLIPPED = 0.9


@HOOKS.register_module()
@checked(max_ratio=Number(0))
class DistillWatchHook(Hook):
    """Warn of what is likely to go wrong in a distillation, once for each kind of problem.

    At the end of an epoch: a term whose gradient was on average more than ``max_ratio`` times the task's where the term
    reads, and a training of which nine of ten steps were clipped. After a validation: a student at chance although the
    loss has fallen.

    Args:
        max_ratio: Largest gradient of a term over that of the task that is not warned of.

    Raises:
        ValueError: ``max_ratio`` is no number of at least 0.
    """

    def __init__(self, max_ratio: float = 10.0) -> None:
        self.max_ratio = max_ratio
        self._said: set[str] = set()
        self._first_loss: float | None = None
        self._loss = math.nan
        self._begin_epoch()

    def before_train_epoch(self, runner: Runner) -> None:
        """Reset the counts."""
        self._begin_epoch()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Mapping | None = None
    ) -> None:
        """Count one step; tensors are added up on their device and read once an epoch."""
        outputs = outputs or {}
        self._steps += 1
        for key, value in outputs.items():
            if key == 'loss' or key.endswith(GRAD):
                number = value.detach() if isinstance(value, Tensor) else value  # else each step's graph would be kept
                self._sums[key] = self._sums.get(key, 0.0) + number
                self._counts[key] = self._counts.get(key, 0) + 1
        limit = (getattr(runner.optim_wrapper, 'clip_grad_kwargs', None) or {}).get('max_norm')
        norm = runner.message_hub.log_scalars.get('train/grad_norm')
        if limit and norm is not None:
            self._clipped += norm.current() > limit

    def after_train_epoch(self, runner: Runner) -> None:
        """Warn of terms that outweigh the task, and of gradients that are clipped most of the time."""
        means = {key: float(value) / self._counts[key] for key, value in self._sums.items()}
        if 'loss' in means:
            self._first_loss = means['loss'] if self._first_loss is None else self._first_loss
            self._loss = means['loss']
        for key, task in means.items():
            if key.endswith(TASK_GRAD):
                self._judge_term(key.removesuffix(TASK_GRAD), means[key.removesuffix(TASK_GRAD) + GRAD], task)
        if self._steps and self._clipped >= CLIPPED * self._steps:
            self._warn(
                'clipped',
                f'{self._clipped} of the {self._steps} steps of this epoch were clipped (clip_grad): the length of a '
                'step no longer follows the loss. Balance the terms (leave their weight out), raise max_norm, or lower '
                'the learning rate.',
            )

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, float] | None = None) -> None:
        """Warn of a student that has not learnt, although its loss has fallen."""
        accuracy = (metrics or {}).get('acc/top1')
        classes = getattr(getattr(ability_of(runner.model, HasStudent), 'student', None), 'cls_head', None)
        chance = 1 / getattr(classes, 'num_classes', math.inf)
        clips = len(runner.val_dataloader.dataset)
        if accuracy is None or not clips or self._first_loss is None or not self._loss < 0.9 * self._first_loss:
            return
        if accuracy <= chance + 2 * math.sqrt(chance * (1 - chance) / clips):
            self._warn(
                'chance',
                f'the student stands at chance on validation (acc/top1 {accuracy:.1%}, chance {chance:.1%}) although '
                f'its loss fell from {self._first_loss:.3g} to {self._loss:.3g}: what falls is a term, not the task. '
                'Give the terms a smaller share, such as weight=dict(type="Balanced", share=0.3), or a later begin=.',
            )

    def _judge_term(self, name: str, term: float, task: float) -> None:
        if task > 0 and term > self.max_ratio * task:
            self._warn(
                name,
                f"term {name!r}: its gradient was {term / task:.1f} times the task's in this epoch, where it reads the "
                "student. It decides what is learnt and changes which learning rate is right. Leave the term's weight "
                f'out, and it is balanced; or divide its weight by {term / task:.0f}.',
            )

    def _begin_epoch(self) -> None:
        self._steps = self._clipped = 0
        self._sums: dict[str, Any] = {}
        self._counts: dict[str, int] = {}

    def _warn(self, kind: str, message: str) -> None:
        if kind not in self._said:
            self._said.add(kind)
            print_log(message, logger='current', level=30)
