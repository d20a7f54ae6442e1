"""Correlation of predictions."""

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import dist
from mmkd_video.losses.base import DistillLoss, at_least, in_float32, positive
from mmkd_video.losses.gather import gather_batch

__all__ = ['DISTLoss']


@MODELS.register_module()
class DISTLoss(DistillLoss):
    """DIST: the student keeps the teacher's ranking of classes in a sample and of samples in a class.

    ``temperature**2 * (beta * (1 - mean rho over rows) + gamma * (1 - mean rho over columns))`` of the probabilities,
    with Pearson's rho whose denominator carries ``+ 1e-8``; it is therefore not exactly zero for equal sides. A batch
    of one has no columns to correlate: that part is the constant ``gamma * temperature**2``. For rows and columns that
    are all but constant, as a classifier of zeros gives, the authors' gradient reaches 1e6; here it grows no further
    once the deviations are below a thousandth of the row.
    Source: https://arxiv.org/abs/2205.10536, code hunto/image_classification_sota ``lib/models/losses/dist_kd.py``.

    Args:
        temperature: Positive divisor of both logits.
        beta: Weight of the correlation over classes, at least 0.
        gamma: Weight of the correlation over samples, at least 0.
        gather: Whether to correlate over the samples of all processes instead of each process's own.

    Raises:
        ValueError: A value is out of its range.
    """

    layouts = ('logits',)
    same_classes = True

    def __init__(self, temperature: float = 1.0, beta: float = 1.0, gamma: float = 1.0, gather: bool = False) -> None:
        super().__init__()
        self.temperature = positive('temperature', temperature)
        self.beta = at_least('beta', beta, 0)
        self.gamma = at_least('gamma', gamma, 0)
        self.gather = gather

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two logits ``(N, K)``."""
        if self.gather:
            student, teacher = gather_batch(student), gather_batch(teacher)
        return dist(student, teacher, self.temperature, self.beta, self.gamma)
