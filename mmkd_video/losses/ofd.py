"""Overhaul distillation."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.functional import batch_norm_margin, ofd
from mmkd_video.losses.base import DistillLoss, in_float32

__all__ = ['OFDLoss']


@MODELS.register_module()
class OFDLoss(DistillLoss):
    """OFD: a partial distance to the teacher's pre-activations, lifted to a margin per channel.

    ``sum (s - lifted)**2 / N`` with ``lifted = max(teacher, margin)``, over the elements where the student is above it
    or it is positive; a sum, so it grows with ``C * T * H * W``. Read pre-activations (``tap:pre``).
    Source: https://arxiv.org/abs/1904.01866, code clovaai/overhaul-distillation ``ImageNet/distiller.py`` without its
    constant factor and layer weights.

    Args:
        margin: One number per channel, the teacher's expected negative response. Left out, it is computed from the
            teacher's batch norm (2-D or 3-D) before the tap, as the authors do.
        teacher_norm: Function that returns scale and shift ``(C,)`` of that batch norm; a term fills it in.

    Raises:
        ValueError: ``margin`` is no list of numbers, or neither is given.
    """

    layouts = ('map',)
    averages_clips = True
    same_channels = True
    same_positions = True

    def __init__(
        self,
        margin: Sequence[float] | None = None,
        teacher_norm: Callable[[], tuple[Tensor, Tensor]] | None = None,
    ) -> None:
        super().__init__()
        if margin is None and teacher_norm is not None:
            margin = batch_norm_margin(*teacher_norm())
        if not isinstance(margin, Sequence | Tensor) or len(margin) == 0:
            raise WrongValueError(
                f"margin: got {margin!r}; expected one number per channel; a term computes it from the teacher's batch "
                'norm'
            )
        self.register_buffer('margin', torch.as_tensor(margin, dtype=torch.float64), persistent=False)

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two maps ``(N, C, [T,] H, W)``.

        Raises:
            ValueError: ``margin`` has another number of channels.
        """
        if len(self.margin) != teacher.shape[1]:
            raise WrongValueError(
                f'margin: got {len(self.margin)} numbers, expected {teacher.shape[1]}, one per channel'
            )
        return ofd(student, teacher, self.margin.to(student.dtype))
