"""Multi-level logit distillation."""

from collections.abc import Sequence

from torch import Tensor

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.functional import mlkd
from mmkd_video.losses.base import DistillLoss, in_float32, positive

__all__ = ['MLKDLoss']


@MODELS.register_module()
class MLKDLoss(DistillLoss):
    """MLKD: predictions agree per sample, between samples and between classes, at several temperatures.

    The sum over temperatures of ``temperature**2 * KL``, ``|P_s P_s^T - P_t P_t^T|**2 / N`` and
    ``|P_s^T P_s - P_t^T P_t|**2 / K``. One view of a sample; the authors' confidence mask is not part of it.
    Source: Jin et al., CVPR 2023, code Jin-Ying/Multi-Level-Logit-Distillation ``mdistiller/distillers/KD_ours.py``.

    Args:
        temperatures: List of positive numbers, at least one.

    Raises:
        ValueError: There is none, or one is not above 0.
    """

    layouts = ('logits',)
    same_classes = True

    def __init__(self, temperatures: Sequence[float] = (2, 3, 4, 5, 6)) -> None:
        super().__init__()
        if isinstance(temperatures, int | float) or len(temperatures) == 0:
            raise WrongValueError(f'temperatures: got {temperatures!r}; expected a list of at least one number above 0')
        self.temperatures = tuple(positive('temperatures', temperature) for temperature in temperatures)

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar loss of two logits ``(N, K)``."""
        return mlkd(student, teacher, self.temperatures)
