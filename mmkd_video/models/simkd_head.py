"""A head that keeps the teacher's classifier."""

from collections.abc import Mapping

import torch
from mmaction.models.heads import BaseHead
from mmengine.model import kaiming_init
from torch import Tensor, nn

from mmkd_video.core.checked import Optional, Settings, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS

__all__ = ['SimKDHead']


@MODELS.register_module()
@checked(
    num_classes=Whole(1),
    in_channels=Whole(1),
    teacher_channels=Whole(1),
    num_segments=Optional(Whole(1), 'a 3D recognizer'),
    reduction=Whole(1),
    loss_cls=Optional(Settings("a loss such as dict(type='CrossEntropyLoss')", needs=('type',)), 'cross-entropy'),
)
class SimKDHead(BaseHead):
    """SimKD: a projector turns the student's map into the teacher's feature, the teacher's own classifier reads it.

    ``FitNetLoss`` compares ``mean (projector(s) - t)**2``. The projector is a bottleneck of 1x1, 3x3 and 1x1
    convolutions (3-D ones for 3-D students), each with batch norm and ReLU; its output is the tap
    ``cls_head.projector``, to be compared with the teacher's last map. The classifier ``fc_cls`` is
    frozen: a ``Distiller`` copies it from the teacher when it is built, and checkpoints hold it. A checkpoint is
    therefore complete: tested and exported with the student's config alone.

    Source: https://arxiv.org/abs/2203.14001, code DefangChen/SimKD ``models/util.py``. There a student's larger map is
    averaged to the teacher's size before the projector, which needs the teacher at test time; here the loss matches
    the sizes after it.

    Args:
        num_classes: Number K of classes.
        in_channels: Channels of the student's last map.
        teacher_channels: Length C of the vector that the teacher's classifier reads.
        num_segments: Frames of a clip for 2-D recognizers, as in ``TSMHead``; None for 3-D ones.
        reduction: ``teacher_channels`` over the channels inside the bottleneck, at least 1.
        teacher: Name of the teacher whose classifier is kept, where there are several.
        loss_cls: The student's own loss; SimKD trains with ``task_weight=0``.
        **kwargs: ``average_clips`` and what else MMAction2's ``BaseHead`` takes.

    Raises:
        ValueError: A number is out of its range.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        teacher_channels: int,
        num_segments: int | None = None,
        reduction: int = 2,
        teacher: str | None = None,
        loss_cls: Mapping | None = None,
        **kwargs,
    ) -> None:
        super().__init__(num_classes, in_channels, loss_cls=dict(loss_cls or {'type': 'CrossEntropyLoss'}), **kwargs)
        self.num_segments = num_segments
        self.teacher = teacher
        convolution, norm = (nn.Conv3d, nn.BatchNorm3d) if num_segments is None else (nn.Conv2d, nn.BatchNorm2d)
        inner = max(teacher_channels // reduction, 1)
        steps = ((in_channels, inner, 1), (inner, inner, 3), (inner, teacher_channels, 1))
        layers: list[nn.Module] = []
        for before, after, size in steps:
            layers += [convolution(before, after, size, padding=size // 2, bias=False), norm(after), nn.ReLU()]
        self.projector = nn.Sequential(*layers)
        self.fc_cls = nn.Linear(teacher_channels, num_classes).requires_grad_(False)

    def init_weights(self) -> None:
        """Initialise the projector from scratch; the classifier is the teacher's and stays."""
        for module in self.projector.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d):
                kaiming_init(module)

    @torch.no_grad()
    def adopt_classifier(self, weight: Tensor, bias: Tensor) -> None:
        """Take over the teacher's classifier.

        Args:
            weight: ``(K, C)``.
            bias: ``(K,)``.

        Raises:
            ValueError: It has another shape than this head says.
        """
        if weight.shape != self.fc_cls.weight.shape:
            raise WrongValueError(
                f"student.cls_head: the teacher's classifier reads {weight.shape[1]} channels and gives "
                f'{weight.shape[0]} classes, but SimKDHead has teacher_channels={self.fc_cls.in_features} and '
                f'num_classes={self.num_classes}'
            )
        self.fc_cls.weight.copy_(weight)
        self.fc_cls.bias.copy_(bias)

    def forward(self, x: Tensor, num_segs: int | None = None, **kwargs) -> Tensor:
        """Return the class scores ``(N, K)`` per clip.

        Args:
            x: The student's last map, ``(N * num_segments, in_channels, H, W)`` or ``(N, in_channels, T, H, W)``.
            num_segs: Number of frames of all clips of a sample; not used.
            **kwargs: Further keywords that recognizers hand to heads; not used.
        """
        pooled = self.projector(x).flatten(2).mean(2)
        if self.num_segments is not None:
            pooled = pooled.unflatten(0, (-1, self.num_segments)).mean(1)
        return self.fc_cls(pooled)
