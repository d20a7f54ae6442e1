"""A pool between the average and the maximum, where the data say."""

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import Flag, Number, OneOf, checked
from mmkd_video.core.registry import MODELS
from mmkd_video.models.temporal.temporal_neck import TemporalNeck
from mmkd_video.models.temporal.temporal_pool import OVER

LEAST = 1e-6  # of what is raised to a power: features behind a ReLU are 0, where powers have no gradient


@MODELS.register_module()
@checked(power=Number(1, 64), learned=Flag(), over=OneOf(*OVER))
class GeMPool(TemporalNeck):
    """The generalized mean ``(mean x^p)^(1/p)`` of all places: the average for p = 1, the maximum for p without end.

    Meant for features behind a ReLU: what is below 1e-6 counts as that. Computed in float32.
    Source: Radenovic et al., Fine-tuning CNN Image Retrieval with No Human Annotation,
    https://arxiv.org/abs/1711.02512 .

    Args:
        power: The p that training begins with, at least 1.
        learned: Whether p is learned.
        over: ``'space_time'`` or ``'time'``, where places stay.
        **kwargs: Those of :class:`TemporalNeck`.
    """

    pruning = 'through'

    def __init__(self, power: float = 3.0, learned: bool = True, over: str = 'space_time', **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.over = over
        self.power = nn.Parameter(torch.tensor([float(power)]), requires_grad=learned)

    def over_time(self, levels: list[Tensor]) -> Tensor:
        """Return ``(N, C, 1, 1, 1)``, or ``(N, C, 1, H, W)`` over time alone.

        Args:
            levels: One map ``(N, C, T, H, W)``.
        """
        (maps,) = levels
        with torch.autocast(maps.device.type, enabled=False):
            powers = maps.float().clamp(min=LEAST).pow(self.power)
            pooled = powers.mean(dim=OVER[self.over], keepdim=True).pow(1 / self.power)
        return pooled.to(maps.dtype)
