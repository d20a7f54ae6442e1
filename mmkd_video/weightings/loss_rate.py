"""Weights by how far each of several losses has fallen."""

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from mmkd_video.core.checked import AnyOf, Fraction, ListOf, Number, Text, checked
from mmkd_video.core.mistakes import WrongKeyError
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.functional import loss_rate_share
from mmkd_video.weightings.weighting import Weighting, WeightingStep

NAME = Text('the name of a term')


@TASK_UTILS.register_module(name='LossRate')
@checked(
    other=AnyOf(NAME, ListOf(NAME, least=1)),
    start=Fraction(),
    rate=Number(0, 1, above=True),
    exponent=Number(0, above=True),
)
class LossRateWeighting(Weighting):
    """Let the term that lags behind weigh more: MTARD's balance of a clean and a robust teacher.

    In each step the factor moves by ``rate`` towards the term's share of ``(loss / first loss)**exponent`` among it and
    the others. Two terms that name each other, with equal settings and a start of a half, have factors that sum to 1.
    Source: Zhao et al., Enhanced Accuracy and Robustness via Multi-Teacher Adversarial Distillation (ECCV 2022,
    https://arxiv.org/abs/2306.16170), code zhaoshiji123/MTARD. There the losses are also divided by the number of
    classes, and ``rate`` falls with the learning rate; here it stays. Losses are averaged over all ranks.

    Args:
        other: Name of the other term, or a list of several.
        start: First factor, above 0 and below 1.
        rate: Part of the way that is moved in a step, above 0 and at most 1.
        exponent: Number above 0: the larger, the more a term counts that lags behind.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(self, other: str | list[str], start: float = 0.5, rate: float = 0.025, exponent: float = 1.0) -> None:
        super().__init__()
        self.others = [other] if isinstance(other, str) else list(other)
        self.rate, self.exponent = rate, exponent
        self.register_buffer('factor', torch.tensor(start, dtype=torch.float64))
        self.register_buffer('firsts', torch.zeros(1 + len(self.others), dtype=torch.float64))
        self.register_buffer('begun', torch.tensor(False))

    def forward(self, step: WeightingStep) -> Tensor:
        """Return the factor, 0-d.

        Args:
            step: Inputs of this step.

        Raises:
            KeyError: There is no such other term in this step.
        """
        missing = [name for name in self.others if name not in step.raws or name == step.name]
        if missing:
            raise WrongKeyError(
                f'term {step.name!r}.weight.other: got {missing[0]!r}; expected the name of another term that acts: '
                f'{sorted(set(step.raws) - {step.name})}'
            )
        losses = torch.stack([step.raws[name].detach().double() for name in (step.name, *self.others)])
        all_reduce(losses, op='mean')
        self.firsts.copy_(torch.where(self.begun, self.firsts, losses))
        self.begun.fill_(True)
        share = loss_rate_share(losses, self.firsts, self.exponent)[0]
        self.factor.add_(self.rate * (share - self.factor))
        return self.factor.to(torch.float32)
