"""Search for weights of terms and arguments of losses while a student trains."""

import json
from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.runner.base_loop import BaseLoop

from mmkd_video.core.checked import ListOf, Number, OneOf, Text, Whole, checked, did_you_mean
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.plain_data import read_json
from mmkd_video.core.registry import HOOKS
from mmkd_video.core.text_table import aligned
from mmkd_video.hooks.annealing_chain import STATE, AnnealingChain, Trial
from mmkd_video.hooks.missed_validation import training_position, validate_if_missed
from mmkd_video.hooks.model_contract import HasTerms, ability_of

KEY = 'annealing'  # a checkpoint's top-level key; its value is JSON text


@HOOKS.register_module()
@checked(
    numbers=ListOf(Text("'<term>.weight' or '<term>.<argument of its loss>'"), least=1),
    monitor=Text("the name of a metric, such as 'agreement/top1'"),
    rule=OneOf('greater', 'less'),
    steps=Whole(1),
    spread=Number(0, above=True),
    temperature=Number(0),
    seed=Whole(0),
)
class AnnealingHook(Hook):
    """Search for weights of terms and arguments of losses by simulated annealing, within one training.

    From validation to validation the kept numbers and a proposal take turns. The proposal is judged by how much the
    agreement with the teacher rose while it held, beside how much it rose under the kept numbers just before, with
    Metropolis' rule: see :class:`~mmkd_video.hooks.annealing_chain.AnnealingChain`. The student is not set back, so
    that a bad proposal costs one interval. A step takes two validations; after ``steps`` of them the kept numbers stay.
    Each decision is logged, all of them as a table at the end; the validation reports the factors in use as
    ``annealing/<term>.<number>``. Checkpoints keep the chain, and a resumed training decides as it would have done.

    Args:
        numbers: Numbers to search for, ``'kd.weight'`` or ``'kd.temperature'``; the search begins at what the config
            says. Schedules are multiplied as a whole.
        monitor: Metric of the validation that says how well the student does.
        rule: Direction in which the metric is better.
        steps: Number of proposals.
        spread: Standard deviation of the logarithm of a step; factors stay between 1/10 and 10.
        temperature: Loss of the metric that is accepted with probability 1/e in the first step; in each further step
            nine tenths of it.
        seed: Seed of proposals and decisions.

    Raises:
        ValueError: A setting is out of range.
    """

    priority = 'HIGHEST'  # its numbers join the metrics before others read them

    def __init__(
        self,
        numbers: Sequence[str],
        monitor: str = 'agreement/top1',
        rule: str = 'greater',
        steps: int = 10,
        spread: float = 0.3,
        temperature: float = 0.01,
        seed: int = 0,
    ) -> None:
        self.numbers, self.monitor, self._sign = list(dict.fromkeys(numbers)), monitor, 1 if rule == 'greater' else -1
        self.chain = AnnealingChain(self.numbers, steps, spread, 10.0, temperature, 0.9, seed)

    def before_run(self, runner: Runner) -> None:
        """Find the numbers.

        Raises:
            KeyError: There is no such term, or no such number of it.
            ValueError: The model does not distil, or a number is learned or computed.
        """
        model = ability_of(runner.model, HasTerms)
        if model is None:
            raise WrongValueError('AnnealingHook: got a model without terms; expected a Distiller')
        terms = model.training_state.terms
        for number in self.numbers:
            name, _, key = number.partition('.')
            if name not in terms:
                raise WrongKeyError(
                    f'AnnealingHook.numbers: got {number!r}; expected <term>.weight or <term>.<argument>, of the terms '
                    f'{", ".join(terms)}; {did_you_mean(name, list(terms)) or "name one of these"}'
                )
            terms[name].rescale(key, 1.0)

    def before_train(self, runner: Runner) -> None:
        """Make up for a validation that the checkpoint was written before."""
        validate_if_missed(runner, self.chain.seen)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set the numbers; pruning may have built the terms anew."""
        terms = ability_of(runner.model, HasTerms).training_state.terms
        for number, factor in self.chain.current.items():
            name, _, key = number.partition('.')
            terms[name].rescale(key, factor)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Judge what held since the last validation, and choose what holds until the next.

        Raises:
            KeyError: The validation has no such metric.
        """
        if not isinstance(runner._train_loop, BaseLoop):
            return
        if self.monitor not in metrics:
            raise WrongKeyError(
                f'AnnealingHook.monitor: got {self.monitor!r}, which this validation does not report; expected one of '
                f'{", ".join(metrics)}; agreement needs TeacherPredictionsHook and a teacher with a config'
            )
        held = dict(self.chain.current)
        trial = self.chain.observe(self._sign * float(metrics[self.monitor]), training_position(runner))
        if trial is not None:
            runner.logger.info(f'annealing step {len(self.chain.trials)} of {self.chain.steps}: {_told(trial)}')
        metrics.update({f'annealing/{number}': factor for number, factor in held.items()})

    def after_train(self, runner: Runner) -> None:
        """Log all that was tried, and what was kept."""
        rows = [('step', *self.numbers, 'gain', 'kept gain', 'probability', '')]
        for index, trial in enumerate(self.chain.trials, 1):
            factors = [f'x{trial.factors[number]:.3g}' for number in self.numbers]
            values = [f'{trial.gain:+.4g}', f'{trial.kept_gain:+.4g}', f'{trial.probability:.3f}']
            rows.append((str(index), *factors, *values, 'kept' if trial.accepted else 'dropped'))
        kept = ', '.join(f'{number} x{factor:.3g}' for number, factor in self.chain.kept.items())
        done = f'{len(self.chain.trials)} of {self.chain.steps} steps'
        runner.logger.info('annealing: ' + '\n'.join([f'{done}; kept {kept}', *aligned(rows)]))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the chain to a checkpoint."""
        checkpoint[KEY] = json.dumps(self.chain.state())

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Go on with the chain of a checkpoint that is resumed.

        Raises:
            ValueError: What it holds is malformed, or of other numbers.
        """
        if not runner._resume or KEY not in checkpoint:
            return
        state = read_json(checkpoint[KEY], STATE, f'the checkpoint: {KEY}')
        if any(set(state[key]) != set(self.numbers) for key in ('kept', 'current')):
            raise WrongValueError(
                f'AnnealingHook.numbers: the checkpoint searches for {sorted(state["kept"])} and this config for '
                f'{sorted(self.numbers)}; resume with the config it was trained with'
            )
        self.chain.restore(state)


def _told(trial: Trial) -> str:
    factors = ', '.join(f'{number} x{factor:.3g}' for number, factor in trial.factors.items())
    what = 'kept' if trial.accepted else 'dropped'
    return f'{factors} {what} (gain {trial.gain:+.4g}, before {trial.kept_gain:+.4g}, p {trial.probability:.3f})'
