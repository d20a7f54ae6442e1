"""Factor transfer with its two networks."""

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import ft
from mmkd_video.losses.base import DistillLoss, at_least, in_float32, positive

__all__ = ['ParaphrasedFTLoss']

SLOPE = 0.1


def _stack(layer: type[nn.Module], widths: Sequence[int], norm: bool) -> nn.Sequential:
    """Return convolutions of 3x3x3 places from width to width, each followed by a leaky ReLU."""
    parts = []
    for before, after in itertools.pairwise(widths):
        parts.append(layer(before, after, 3, padding=1, bias=not norm))
        parts += [nn.BatchNorm3d(after)] if norm else []
        parts.append(nn.LeakyReLU(SLOPE))
    return nn.Sequential(*parts)


def _unused(*networks: nn.Module) -> Tensor:
    """Return zero that depends on all parameters, so that DDP finds none unused."""
    return sum(parameter.sum() for network in networks for parameter in network.parameters()) * 0.0


@MODELS.register_module()
class ParaphrasedFTLoss(DistillLoss):
    """Factor transfer in full: a paraphraser condenses the teacher's map, a translator makes the student's factor.

    ``transfer * |x / |x| - f / |f|| + |r(f) - t|``, both means of absolute values: :class:`FTLoss` of the translator's
    factor ``x`` and the paraphraser's ``f``, plus the error of the teacher's map ``t`` rebuilt from it, which alone
    trains the paraphraser. ``weight`` multiplies both, so the authors' 500 belongs to ``transfer``. With a schedule
    that starts at 0, ``transfer=dict(type='Warmup', value=500.0, begin=1, end=3)``, the paraphraser is trained alone
    first, as the authors do; once the transfer acts, it rests: it is given no gradient, its batch norms stand still and
    the reconstruction counts no longer. With a fixed number both are trained at once.
    Source: https://arxiv.org/abs/1802.04977, code Jangho-Kim/Factor-Transfer-pytorch ``Models/FeatureProjection.py``
    and ``utils.py``; the networks are the authors', with 3x3x3 for 3x3 places: three convolutions each, with biases and
    leaky ReLUs, those that rebuild the map transposed. They have no batch norm; ``norm=True`` is ours. There the first
    stage has an optimizer of its own (SGD); here the one optimizer may still move a paraphraser at rest by its weight
    decay (``connector_decay=0`` leaves that out) and by what is left of its momentum.

    Args:
        student_channels: Channels of the student's map; a term fills it in.
        teacher_channels: Channels of the teacher's map; a term fills it in.
        rate: Channels of the factor over those of the teacher, above 0.
        transfer: Weight of the factor transfer beside the reconstruction, at least 0.
        norm: Whether to put a batch norm in the place of every bias.

    Raises:
        ValueError: A value is out of its range.
    """

    layouts = ('map',)
    same_positions = True

    def __init__(
        self,
        student_channels: int,
        teacher_channels: int,
        rate: float = 0.5,
        transfer: float = 1.0,
        norm: bool = False,
    ) -> None:
        super().__init__()
        self.build_for(student_channels=student_channels, teacher_channels=teacher_channels)
        factor = max(round(teacher_channels * positive('rate', rate)), 1)
        self.transfer = at_least('transfer', transfer, 0)
        self._in_stages = transfer == 0
        self._transfers: bool | None = None  # as a schedule said last
        ours, theirs = (student_channels, student_channels), (teacher_channels, teacher_channels)
        self.paraphraser = _stack(nn.Conv3d, (*theirs, factor, factor), norm)
        self.reconstruction = _stack(nn.ConvTranspose3d, (factor, factor, *theirs), norm)
        self.translator = _stack(nn.Conv3d, (*ours, factor, factor), norm)

    def moved(self, key: str, value: float) -> None:
        """See :meth:`DistillLoss.moved`."""
        if key == 'transfer':
            self._transfers = value > 0

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two maps ``(N, C, [T,] H, W)``."""
        if student.ndim == 4:
            student, teacher = student.unsqueeze(2), teacher.unsqueeze(2)
        at_rest = self._in_stages and self._acts()
        self.paraphraser.train(self.training and not at_rest)
        if at_rest:
            with torch.no_grad():
                factor = self.paraphraser(teacher)
            reconstruction = _unused(self.paraphraser, self.reconstruction)
        else:
            factor = self.paraphraser(teacher)
            reconstruction = F.l1_loss(self.reconstruction(factor), teacher)
        if self._in_stages and not at_rest:  # the transfer has no weight yet
            return reconstruction + _unused(self.translator) + student.sum() * 0.0
        return reconstruction + self.transfer * ft(self.translator(student), factor.detach())

    def _acts(self) -> bool:
        """Return whether the transfer has a weight, without waiting for the device of one that a schedule moves."""
        if isinstance(self.transfer, Tensor) and self._transfers is not None:
            return self._transfers
        return bool(self.transfer > 0)
