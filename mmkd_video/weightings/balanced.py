"""Weights from gradients: a term's gradient is kept in proportion to the task's where the term reads."""

import torch
from torch import Tensor

from mmkd_video.core.checked import Fraction, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.weightings.weighting import Weighting, WeightingStep


@TASK_UTILS.register_module(name='Balanced')
@checked(share=Fraction(), settle=Whole(1), interval=Whole(1))
class BalancedWeighting(Weighting):
    """Give a term a share of the gradient that the task has at the student's taps, and take that share from the task.

    The factor is ``share * mean(|task gradient|) / mean(|term gradient|)``, both norms at the taps that the term reads,
    averaged over all steps in which they were measured so far; the task keeps ``1 - share``. So the student receives
    about as large a gradient as it would alone, and a learning rate that was tuned for it alone stays right, whatever
    the loss, its temperature, and the width, frames and size of the features. As the means settle, so does the factor:
    the objective stands still, and a term whose student has become like its teacher fades by itself.

    Gradient norms as a common measure of losses: Chen et al., GradNorm, ICML 2018, which trains the weights to equal
    rates of learning instead.

    Args:
        share: Share of the gradient that the term gets, above 0 and below 1.
        settle: Number of the term's first steps, which are all measured.
        interval: Number of steps from one measurement to the next, after these.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(self, share: float = 0.5, settle: int = 20, interval: int = 20) -> None:
        super().__init__(share)
        self.settle, self.interval = settle, interval
        for key in ('steps', 'measured', 'term_mean', 'task_mean', 'factor'):
            self.register_buffer(key, torch.zeros((), dtype=torch.float64))
        self._steps: int | None = None
        self.register_load_state_dict_post_hook(_reset_step_cache)

    def forward(self, step: WeightingStep) -> Tensor:
        """Return the factor, 0-d; zero until something could be measured.

        Raises:
            ValueError: Nothing could be measured in the first ``settle`` steps.
        """
        if self._steps is None:
            self._steps = int(self.steps)
        if self._steps == self.settle and not self.measured:
            raise WrongValueError(
                f'term {step.name!r}.weight: in {self.settle} steps the task had no gradient where the term reads the '
                'student, so the term cannot be balanced. Either no batch held a labelled clip: set task_weight=0.0; '
                'or the task does not pass the tap (a module beside the way to the head, or a compiled model): tap '
                'another module, or give the term a number, weight=1.0'
            )
        if self._steps < self.settle or self._steps % self.interval == 0:
            norms = step.measure()
            if norms is not None:
                self._add_measurement(norms.term, norms.task)
        self._steps += 1
        self.steps.add_(1)
        return self.factor.to(torch.float32)

    def _add_measurement(self, term: Tensor, task: Tensor) -> None:
        self.measured.add_(1)
        self.term_mean.add_((term - self.term_mean) / self.measured)
        self.task_mean.add_((task - self.task_mean) / self.measured)
        ratio = self.share * self.task_mean / self.term_mean
        self.factor.copy_(torch.where(self.term_mean > 0, ratio, 0.0))


def _reset_step_cache(weighting: BalancedWeighting, _incompatible: object) -> None:
    weighting._steps = None
