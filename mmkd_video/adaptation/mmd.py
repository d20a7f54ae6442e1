"""Maximum mean discrepancy."""

from collections.abc import Sequence

from torch import Tensor

from mmkd_video.adaptation.domain_loss import DomainLoss
from mmkd_video.core.registry import MODELS
from mmkd_video.functional import mmd
from mmkd_video.losses.base import in_float32, positive
from mmkd_video.losses.gather import gather_batch


@MODELS.register_module()
class MMDLoss(DomainLoss):
    """MMD with several kernels: the student's features of both domains have the same distribution.

    ``mean k(s, s') + mean k(t, t') - 2 mean k(s, t)`` for the mean k of Gaussian kernels, whose widths are the mean
    squared distance of two clips times ``bandwidths``.
    Source: https://arxiv.org/abs/1502.02791 (DAN), which learns the weights of the kernels and sums over several
    layers; here kernels count the same, and each layer is a term.

    Args:
        bandwidths: Factors on the mean squared distance, above 0, one for each kernel.
        gather: Whether to take the clips of all processes as one batch.

    Raises:
        ValueError: A factor is not above 0.
    """

    def __init__(self, bandwidths: Sequence[float] = (0.25, 0.5, 1.0, 2.0, 4.0), gather: bool = False) -> None:
        super().__init__()
        self.bandwidths = [positive(f'bandwidths[{index}]', each) for index, each in enumerate(bandwidths)]
        self.gather = gather

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor, domains: Tensor) -> Tensor:
        """Return the scalar loss.

        Args:
            student: Vector ``(N, C)``.
            teacher: The teacher's feature, which is not used.
            domains: ``(N,)``, 0 for the source and 1 for the target.

        Raises:
            ValueError: A domain has no clip in the batch.
        """
        source, target = self.split(student, domains)
        if self.gather:
            source, target = gather_batch(source), gather_batch(target)
        return mmd(source, target, self.bandwidths)
