"""Correlation alignment."""

from torch import Tensor

from mmkd_video.adaptation.domain_loss import DomainLoss
from mmkd_video.core.registry import MODELS
from mmkd_video.functional import coral
from mmkd_video.losses.base import in_float32
from mmkd_video.losses.gather import gather_batch


@MODELS.register_module()
class CORALLoss(DomainLoss):
    """Deep CORAL: the covariances of the student's features agree in both domains.

    ``|Cov(s) - Cov(t)|**2 / (4 C**2)`` over C channels; the authors use it at the class scores.
    Source: https://arxiv.org/abs/1607.01719.

    Args:
        gather: Whether to take the clips of all processes as one batch.
    """

    least = 2

    def __init__(self, gather: bool = False) -> None:
        super().__init__()
        self.gather = gather

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor, domains: Tensor) -> Tensor:
        """Return the scalar loss.

        Args:
            student: Vector ``(N, C)``.
            teacher: The teacher's feature, which is not used.
            domains: ``(N,)``, 0 for the source and 1 for the target.

        Raises:
            ValueError: A domain has fewer than two clips in the batch.
        """
        source, target = self.split(student, domains)
        if self.gather:
            source, target = gather_batch(source), gather_batch(target)
        return coral(source, target)
