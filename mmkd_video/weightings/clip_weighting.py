"""The base of weightings that give each clip of a batch a weight of its own."""

import torch
from torch import Tensor

from mmkd_video.weightings.weighting import Weighting, WeightingStep


class ClipWeighting(Weighting):
    """A factor for each clip of a batch; the term's loss is the mean over clips of weight times loss.

    The mean is over all clips, so that small weights make the term small instead of leaving it to the other clips, and
    ranks agree. A subclass says in :meth:`weigh` what a clip counts. The term computes its loss clip by clip, which
    is possible where the loss of a batch is the mean of those of its clips (``DistillLoss.averages_clips``).

    Args:
        value: Factor of the whole term.
    """

    several_labels: bool = False
    """Whether class scores may be those of several labels, each class by itself."""

    def __init__(self, value: float = 1.0) -> None:
        super().__init__()
        self.value = float(value)

    def weigh(self, scores: Tensor, labels: Tensor | None) -> Tensor:
        """Return the weight of each clip, ``(N,)`` and not negative, without a gradient.

        Args:
            scores: The teacher's class scores ``(N, K)`` in float32.
            labels: ``(N,)`` class indices, -1 where there is none; ``(N, K)`` soft labels, rows of zeros where there is
                none; None where no clip has any.
        """
        raise NotImplementedError(f'{type(self).__name__} must say in weigh(scores, labels) how much a clip weighs')

    def forward(self, step: WeightingStep) -> Tensor:
        """Return the factor of the whole term, 0-d.

        Args:
            step: Inputs of this step.
        """
        return torch.full_like(step.task, self.value, dtype=torch.float32)
