"""Weights that are learned from clips which are held back from the training."""

import math

import torch
from torch import Tensor

from mmkd_video.core.checked import Number, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.weightings.weighting import Weighting, WeightingStep


@TASK_UTILS.register_module(name='MetaLearned')
@checked(start=Number(0, above=True), span=Number(1, above=True))
class MetaLearnedWeighting(Weighting):
    """A weight that grows as long as a step along the term's gradient lowers the loss of clips that are held back.

    ``MetaWeightHook`` takes the virtual step, judges it and moves the weight; the weight itself is a constant of the
    training step. The task keeps its weight. It lies in the training state: a resumed training goes on with it.

    Args:
        start: First weight, above 0.
        span: The weight stays from ``start / span`` to ``start * span``; above 1.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(self, start: float = 1.0, span: float = 100.0) -> None:
        super().__init__()
        self.start, self.span = float(start), float(span)
        self.register_buffer('log_weight', torch.tensor(math.log(start), dtype=torch.float64))
        for key in ('calls', 'mean_length'):
            self.register_buffer(key, torch.zeros((), dtype=torch.float64))
        self.attended = False

    def learn(self, product: Tensor, length: Tensor, rate: float) -> None:
        """Move the logarithm of the weight by ``rate * product / length``, the length averaged over all calls so far.

        So the first calls move it by at most ``rate`` whatever the scale of the losses, and later ones by less where
        the gradients have become smaller.

        Args:
            product: 0-d, inner product of the term's gradient with that of the loss on held-back clips.
            length: 0-d, product of the lengths of these two.
            rate: Largest change.
        """
        self.calls.add_(1)
        self.mean_length.add_((length.to(self.mean_length) - self.mean_length) / self.calls)
        share = product.to(self.mean_length) / self.mean_length.clamp(min=torch.finfo(torch.float64).tiny)
        self.log_weight.add_(rate * share.clamp(-1.0, 1.0))
        self.log_weight.clamp_(math.log(self.start / self.span), math.log(self.start * self.span))

    def forward(self, step: WeightingStep) -> Tensor:
        """Return the weight, 0-d.

        Args:
            step: Inputs of this step.

        Raises:
            ValueError: No hook moves it.
        """
        if not self.attended:
            raise WrongValueError(
                f"term {step.name!r}.weight: got 'MetaLearned', which nothing moves; add dict(type='MetaWeightHook', "
                'dataloader=<clips that are held back>) to custom_hooks'
            )
        return self.log_weight.exp().to(torch.float32)
