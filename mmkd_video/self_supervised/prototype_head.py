"""A head that compares clips with prototypes, for learning without labels."""

from typing import Any

from mmaction.models.heads import BaseHead
from mmengine.model import trunc_normal_init
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from mmkd_video.core.checked import Optional, Whole, checked
from mmkd_video.core.registry import MODELS


@MODELS.register_module()
@checked(
    num_classes=Whole(2),
    in_channels=Whole(1),
    num_segments=Optional(Whole(1), 'a 3D recognizer'),
    hidden_channels=Whole(1),
    bottleneck=Whole(1),
)
class PrototypeHead(BaseHead):
    """DINO's head: a projector of three layers, a unit vector, and its cosines with learned prototypes.

    It stands in the place of ``cls_head`` while a recognizer learns without labels, so that a moving average of the
    student has one, too; a fine-tuning that starts from the checkpoint has a classifier instead. Source:
    https://arxiv.org/abs/2104.14294, appendix C; without batch norms, as there for transformers.

    Args:
        num_classes: Number K of prototypes.
        in_channels: Channels of the map that it reads.
        num_segments: Frames of a clip for 2D recognizers, as in ``TSMHead``; None for 3D ones.
        hidden_channels: Width of the two hidden layers.
        bottleneck: Length of the vector.
        **settings: Further arguments of ``BaseHead``.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        num_segments: int | None = None,
        hidden_channels: int = 512,
        bottleneck: int = 128,
        **settings: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, **settings)
        self.num_segments = num_segments
        self.projector = nn.Sequential(
            nn.Linear(in_channels, hidden_channels), nn.GELU(),
            nn.Linear(hidden_channels, hidden_channels), nn.GELU(),
            nn.Linear(hidden_channels, bottleneck),
        )  # fmt: skip
        self.prototypes = weight_norm(nn.Linear(bottleneck, num_classes, bias=False))
        self.prototypes.parametrizations.weight.original0.data.fill_(1.0)
        self.prototypes.parametrizations.weight.original0.requires_grad_(False)  # unit vectors, as in the authors' code

    def init_weights(self) -> None:
        """Initialise the projector."""
        for layer in self.projector:
            if isinstance(layer, nn.Linear):
                trunc_normal_init(layer, std=0.02)

    def forward(self, x: Tensor, **kwargs: Any) -> Tensor:
        """Return the cosines with the prototypes, ``(N, K)`` per clip.

        Args:
            x: The last map, ``(N * num_segments, in_channels, H, W)`` or ``(N, in_channels, T, H, W)``.
            **kwargs: Keywords that recognizers hand to heads; not used.
        """
        pooled = x.flatten(2).mean(2)
        if self.num_segments is not None:
            pooled = pooled.unflatten(0, (-1, self.num_segments)).mean(1)
        return self.prototypes(F.normalize(self.projector(pooled), dim=1))
