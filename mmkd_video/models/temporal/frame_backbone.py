"""A 2D backbone over the frames of clips, for necks that look across time."""

from collections.abc import Mapping

from mmengine.model import BaseModule
from torch import Tensor

from mmkd_video.core.checked import Settings, Whole, checked
from mmkd_video.core.registry import MODELS


@MODELS.register_module()
@checked(
    net=Settings("the settings of a 2D backbone, such as dict(type='MobileNetV2')", ('type',)), num_segments=Whole(1)
)
class FrameBackbone(BaseModule):
    """A 2D backbone that sees each frame by itself, in the form that necks over time read.

    In a ``Recognizer3D`` it takes clips and returns maps of clips. In a ``Recognizer2D`` it takes frames and returns a
    tuple of maps, also where the backbone returns one: MMAction2 wants it so.

    Args:
        net: Config of the backbone. It initialises itself as it would alone, so pretrained weights are those of the
            plain backbone.
        num_segments: Frames of a clip in a ``Recognizer2D``.
    """

    def __init__(self, net: Mapping, num_segments: int = 8) -> None:
        super().__init__()
        self.net = MODELS.build(dict(net))
        self.num_segments = num_segments

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the features of frames or of clips.

        Args:
            x: Frames ``(N * T, C, H, W)`` or clips ``(N, C, T, H, W)``.

        Returns:
            A tuple of maps ``(N * T, C', H', W')`` of frames; of clips one map ``(N, C', T, H', W')``, or a tuple where
            the backbone returns several.
        """
        if x.ndim == 4:
            found = self.net(x)
            return tuple(found) if isinstance(found, (tuple, list)) else (found,)
        count = len(x)
        found = self.net(x.transpose(1, 2).flatten(0, 1))
        if isinstance(found, Tensor):
            return _as_clips(found, count)
        return tuple(_as_clips(each, count) for each in found)


def _as_clips(frames: Tensor, count: int) -> Tensor:
    return frames.unflatten(0, (count, -1)).transpose(1, 2)
