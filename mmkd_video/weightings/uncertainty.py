"""Weights that are learned: each term's as far as it can be met."""

import math

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import Number, checked
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.weightings.weighting import Weighting, WeightingStep


@TASK_UTILS.register_module(name='Uncertainty')
@checked(start=Number(0, above=True))
class UncertaintyWeighting(Weighting):
    """Learn a variance for a term: ``loss / variance + log(variance) / 2``, beside the student's own losses.

    A term that stays large, because the student cannot meet it, gets a small weight; one that the student meets gets a
    large one. At rest the factor is ``1 / (2 * loss)``. The logarithm of the variance is trained with the connectors.
    Source: Kendall, Gal and Cipolla, Multi-Task Learning Using Uncertainty to Weigh Losses, CVPR 2018
    (https://arxiv.org/abs/1705.07115), the form for classification. There the task has a variance too; here it keeps
    its weight, so that a learning rate that is right for it stays so.

    Args:
        start: First factor, 1 over the first variance; above 0.

    Raises:
        ValueError: ``start`` is not above 0.
    """

    def __init__(self, start: float = 1.0) -> None:
        super().__init__()
        self.log_variance = nn.Parameter(torch.tensor(-math.log(start)))

    def forward(self, step: WeightingStep) -> Tensor:
        """Return the factor, 0-d; its gradient reaches the variance.

        Args:
            step: Inputs of this step.
        """
        return (-self.log_variance).exp()

    def penalty(self) -> Tensor:
        """Return what keeps the variance from growing, 0-d."""
        return self.log_variance / 2
