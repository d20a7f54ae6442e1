"""Flow of the solution procedure."""

from collections.abc import Sequence

from torch import Tensor

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import fsp
from mmkd_video.losses.base import DistillLoss, in_float32

__all__ = ['FSPLoss']


@MODELS.register_module()
class FSPLoss(DistillLoss):
    """FSP: how channels of one layer go with channels of the next; meant as a first stage (``end`` of the term).

    The sum over consecutive layers of ``mean (G_s - G_t)**2`` with G the products of channels averaged over positions;
    a clip map averages over its ``T * H * W`` places. Of two layers the larger is averaged to the smaller in every
    dimension (the authors' code knows square images and compares heights).
    Source: Yim et al., CVPR 2017, code HobbitLong/RepDistiller ``distiller_zoo/FSP.py``.
    """

    layouts = ('map',)
    averages_clips = True
    same_channels = True
    multi_layer = True
    min_layers = 2

    @in_float32
    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        """Return the scalar loss of two lists of maps ``(N, C, [T,] H, W)``."""
        return fsp(student, teacher)
