"""Terms that end when they have taught what they can."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.runner.base_loop import BaseLoop

from mmkd_video.core.checked import ListOf, Number, OneOf, Optional, Text, Whole, checked, did_you_mean
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.plain_data import Maybe, Record, Table, read_json
from mmkd_video.core.plain_data import Number as NumberRule
from mmkd_video.core.plain_data import Whole as WholeRule
from mmkd_video.core.registry import HOOKS
from mmkd_video.hooks.missed_validation import training_position, validate_if_missed
from mmkd_video.hooks.model_contract import HasTerms, ability_of

KEY = 'ended_terms'  # a checkpoint's top-level key; its value is JSON text
RAW = 'raw'
_COUNT = WholeRule(0, 2**62)
_TERM = Record(
    dict(best=Maybe(NumberRule(-1e300, 1e300)), stalled=_COUNT, end=Maybe(_COUNT), sum=NumberRule(-1e300, 1e300))
)
_STATE = Record(dict(terms=Table(_TERM, most=1000), steps=_COUNT, seen=_COUNT))


@HOOKS.register_module()
@checked(
    patience=Whole(1),
    terms=Optional(ListOf(Text('the name of a term'), least=1), 'all'),
    monitor=Text("'raw', or the name of a metric such as 'acc/top1'"),
    rule=OneOf('less', 'greater'),
    min_gain=Number(0),
)
class TermStopHook(Hook):
    """End a term of a distillation when what it is judged by has not improved for some time.

    With ``monitor='raw'`` each term is judged by its own loss, not weighted, averaged over each epoch in which it acts
    and over all ranks. Otherwise all of them are judged by a metric, at every validation. From the next epoch on the
    term is as one whose ``end`` has come: it costs nothing, and the task gets back what the term had of its weight.
    The checkpoints keep what was counted, so that a resumed training ends its terms when it would have done.

    A teacher that helps early can hold the student back later (Cho and Hariharan, On the Efficacy of Knowledge
    Distillation, ICCV 2019, https://arxiv.org/abs/1910.01348, who stop the teacher's term early).

    Args:
        patience: Number of epochs, or of validations, without an improvement after which a term ends.
        terms: Names of the terms; None for all.
        monitor: ``'raw'``, or the name of a metric.
        rule: Direction in which a metric is better; less is always better for ``'raw'``.
        min_gain: Smallest improvement that counts, as a share of the best value so far.

    Raises:
        ValueError: A setting is out of range.
    """

    priority = 'ABOVE_NORMAL'  # before DistillHook asks which terms act

    def __init__(
        self,
        patience: int = 3,
        terms: Sequence[str] | None = None,
        monitor: str = RAW,
        rule: str = 'greater',
        min_gain: float = 0.0,
    ) -> None:
        self.patience, self.terms, self.monitor, self.min_gain = patience, terms, monitor, min_gain
        self._less = monitor == RAW or rule == 'less'
        self._judged: dict[str, dict[str, Any]] = {}
        self._steps = self._seen = 0

    def before_run(self, runner: Runner) -> None:
        """Find the terms.

        Raises:
            KeyError: There is no such term.
            ValueError: The model does not distil.
        """
        model = ability_of(runner.model, HasTerms)
        if model is None:
            raise WrongValueError('TermStopHook: got a model without terms; expected a Distiller')
        known = list(model.training_state.terms)
        for name in self.terms or ():
            if name not in known:
                raise WrongKeyError(
                    f'TermStopHook.terms: got {name!r}; expected names of {", ".join(known) or "terms"}; '
                    f'{did_you_mean(name, known) or "a term is named by name= or after its loss"}'
                )
        self._judged = {name: dict(best=None, stalled=0, end=None, sum=0.0) for name in self.terms or known}

    def before_train(self, runner: Runner) -> None:
        """Make up for a validation that the checkpoint was written before."""
        if self.monitor != RAW:
            validate_if_missed(runner, self._seen)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """End the terms whose time has come; pruning may have built them anew."""
        for name, judged in self._judged.items():
            if judged['end'] is not None:
                term = self._term(runner, name)
                term.end = judged['end'] if term.end is None else min(term.end, judged['end'])

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Mapping | None = None
    ) -> None:
        """Add up the losses of a step; judge at the end of an epoch."""
        if self.monitor != RAW:
            return
        raws = torch.stack([torch.as_tensor(outputs[f'{name}_raw']) for name in self._judged]).double()
        all_reduce(raws, 'mean')
        for judged, raw in zip(self._judged.values(), raws.tolist(), strict=True):
            judged['sum'] += raw
        self._steps += 1
        length = len(runner.train_dataloader)
        if (runner.iter + 1) % length:
            return
        for name, judged in self._judged.items():
            mean, judged['sum'] = judged['sum'] / self._steps, 0.0
            if self._term(runner, name).acting:
                self._judge(runner, name, mean, (runner.iter + 1) // length)
        self._steps = 0

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, float] | None = None) -> None:
        """Judge by a metric.

        Raises:
            KeyError: The validation has no such metric.
        """
        if self.monitor == RAW or not self._judged or not isinstance(runner._train_loop, BaseLoop):
            return
        if self.monitor not in metrics:
            raise WrongKeyError(
                f'TermStopHook.monitor: got {self.monitor!r}, which this validation does not report; expected one of '
                f'{", ".join(metrics)}, or {RAW!r}'
            )
        if training_position(runner) == self._seen:  # another hook has made up for it
            return
        self._seen = training_position(runner)
        epoch = -(-runner.iter // len(runner.train_dataloader))
        for name in self._judged:
            if self._term(runner, name).acting:
                self._judge(runner, name, float(metrics[self.monitor]), epoch)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add what was counted to a checkpoint."""
        checkpoint[KEY] = json.dumps(dict(terms=self._judged, steps=self._steps, seen=self._seen))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Go on counting from a checkpoint that is resumed.

        Raises:
            ValueError: What it holds is malformed, or of other terms.
        """
        if not runner._resume or KEY not in checkpoint:
            return
        state = read_json(checkpoint[KEY], _STATE, f'the checkpoint: {KEY}')
        if set(state['terms']) != set(self._judged):
            raise WrongValueError(
                f'TermStopHook.terms: the checkpoint counts for {sorted(state["terms"])} and this config for '
                f'{sorted(self._judged)}; resume with the config it was trained with'
            )
        self._judged |= state['terms']
        self._steps, self._seen = state['steps'], state['seen']

    def _judge(self, runner: Runner, name: str, value: float, epoch: int) -> None:
        judged = self._judged[name]
        if judged['end'] is not None:
            return
        best = judged['best']
        gain = math.inf if best is None else (best - value if self._less else value - best)
        if gain > self.min_gain * abs(best or 0.0):
            judged['best'], judged['stalled'] = value, 0
            return
        judged['stalled'] += 1
        if judged['stalled'] >= self.patience:
            judged['end'] = epoch
            what = f'its raw loss {value:.4g}' if self.monitor == RAW else f'{self.monitor} {value:.4g}'
            runner.logger.info(
                f'term {name!r} ends after epoch {epoch}: {what} is no better than {best:.4g} for {self.patience} times'
            )

    def _term(self, runner: Runner, name: str) -> Any:
        return ability_of(runner.model, HasTerms).training_state.terms[name]
