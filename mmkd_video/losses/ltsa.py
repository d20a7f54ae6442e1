"""Local tangent spaces."""

from torch import Tensor

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.functional import ltsa
from mmkd_video.losses.base import whole
from mmkd_video.losses.manifold import ManifoldLoss

__all__ = ['LTSALoss']


@MODELS.register_module()
class LTSALoss(ManifoldLoss):
    """LTSA: around each clip, the student is an affine image of the teacher's tangent space.

    The share of the student's local variance that is no affine function of the ``dim`` leading coordinates of the
    teacher's neighbourhood, in [0, 1]; fewer coordinates where a neighbourhood has fewer dimensions. Equal sides are
    zero only where neighbourhoods have at most ``dim`` dimensions. Zero for neighbourhoods of at most ``dim + 1``
    clips, 1 for a student in a single point.

    Zero for fewer than three clips. Terms average maps to one vector per clip; given one directly, each clip is
    flattened, its ``T * H * W`` places being positions.
    Source: Zhang and Zha, SIAM Journal on Scientific Computing 2004, https://doi.org/10.1137/S1064827502419154; as a
    distillation loss it is ours.

    Args:
        k: Number of neighbours, at least 1; at most all other clips are taken.
        dim: Dimensions of the tangent space, at least 1 and below ``k``.
        gather: Whether to take the clips of all processes as one batch.
        queue_size: Number of earlier clips to keep beside the batch.
        student_channels: Length of the student's vectors, for the queue; a term fills it in.
        teacher_channels: Length of the teacher's vectors, for the queue; a term fills it in.

    Raises:
        ValueError: A value is out of its range.
    """

    def __init__(
        self,
        k: int = 5,
        dim: int = 2,
        gather: bool = False,
        queue_size: int = 0,
        student_channels: int | None = None,
        teacher_channels: int | None = None,
    ) -> None:
        super().__init__(k, gather, queue_size, student_channels, teacher_channels)
        self.dim = whole('dim', dim, 1)
        if dim >= k:
            raise WrongValueError(f'dim: got {dim}; expected a number below k={k}; every student would fit')

    def compare(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of all clips at hand, ``(M, Cs)`` and ``(M, Ct)``."""
        return ltsa(student, teacher, self.k, self.dim)
