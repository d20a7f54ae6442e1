"""A head with a second classifier for what the teacher says."""

import copy
from typing import Any

import torch
from mmaction.models.heads import BaseHead
from torch import Tensor

from mmkd_video.core.checked import Flag, Text, Whole, checked
from mmkd_video.core.mistakes import WrongKeyError
from mmkd_video.core.registry import MODELS
from mmkd_video.functional import mix_probabilities

__all__ = ['DistilledHead']

OWN = ('loss_cls', 'multi_class', 'label_smooth_eps', 'topk', 'average_clips')


@MODELS.register_module()
@checked(head=Text("the name of a head, such as 'TSMHead'"), num_classes=Whole(1), in_channels=Whole(1), taught=Flag())
class DistilledHead(BaseHead):
    """Two heads side by side: ``labels`` learns from the labels, ``distillation`` from the teacher.

    DeiT's distillation token (https://arxiv.org/abs/2012.12877), for any recognizer: the two see the same feature, and
    neither has to be a compromise between label and teacher. In training the scores are those of ``labels``, which the
    student's own loss reads; a term reads those of ``distillation`` at the tap ``distilled``. In eval mode the
    probabilities of the two are averaged, as in the paper (its code averages scores). Both are the student's own: in
    its checkpoint, and in all that is exported.

    Args:
        head: Type of both heads, one of MMAction2's.
        num_classes: Number K of classes.
        in_channels: Channels that the heads read.
        taught: Whether a term teaches ``distillation``. If not, the student's own loss reads the mean of both heads'
            scores, so that both learn from the labels: so it is set for the student alone.
        **settings: Further arguments of the heads.

    Raises:
        KeyError: There is no such head.
    """

    def __init__(self, head: str, num_classes: int, in_channels: int, taught: bool = True, **settings: Any) -> None:
        own = {key: settings[key] for key in OWN if key in settings}
        super().__init__(num_classes, in_channels, **copy.deepcopy(own))
        if MODELS.get(head) is None:
            raise WrongKeyError(f"DistilledHead.head: got {head!r}; expected the name of a head, such as 'TSMHead'")
        self.taught = taught
        both = dict(settings, type=head, num_classes=num_classes, in_channels=in_channels)
        self.labels, self.distillation = (MODELS.build(copy.deepcopy(both)) for _ in range(2))

    def init_weights(self) -> None:
        """Initialise both heads."""
        self.labels.init_weights()
        self.distillation.init_weights()

    def forward(self, x: Tensor, **kwargs: Any) -> Tensor:
        """Return the class scores ``(N, K)`` per clip.

        Args:
            x: Feature that the heads read.
            **kwargs: Keywords that recognizers hand to heads.
        """
        own, taught = self.labels(x, **kwargs), self.distillation(x, **kwargs)
        if self.training and not self.taught:
            return (own + taught) / 2
        if self.training:
            return own + taught.sum() * 0.0  # without a term that reads it, DDP would find it unused
        return mix_probabilities(torch.stack([own, taught]), own.new_full((2, 1), 0.5))
