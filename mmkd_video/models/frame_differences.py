"""2D backbones on differences of frames."""

from collections.abc import Sequence

import torch
from mmaction.models.backbones import MobileNetV2TSM, ResNetTSM
from torch import Tensor

from mmkd_video.core.checked import ListOf, Number, Whole, checked
from mmkd_video.core.registry import MODELS

MOBILENET_LAYERS = MobileNetV2TSM.arch_settings  # expansion, channels, blocks, stride of each layer


def frame_differences(frames: Tensor, num_segments: int, gain: float) -> Tensor:
    """Return the difference of every frame from the one before it; the first is given that of the second.

    Args:
        frames: ``(N * T, C, H, W)``, the T frames of a clip in a row.
        num_segments: T, at least 2.
        gain: Factor on the differences.

    Returns:
        ``(N * T, C, H, W)``.
    """
    clips = frames.reshape(-1, num_segments, *frames.shape[1:])
    changes = (clips[:, 1:] - clips[:, :-1]) * gain
    return torch.cat([changes[:, :1], changes], dim=1).flatten(0, 1)


class _OnDifferences:
    """Mixin before a 2D backbone with ``num_segments``, which then gets differences of frames.

    Args:
        gain: Factor on the differences, which are smaller than normalised frames.
        **kwargs: Those of the backbone.
    """

    def __init__(self, gain: float = 2.0, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.gain = gain

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the features of frames.

        Args:
            x: ``(N * T, C, H, W)`` with T = ``num_segments``, at least 2.
        """
        return super().forward(frame_differences(x, self.num_segments, self.gain))


@MODELS.register_module()
@checked(gain=Number(0, above=True), strides=ListOf(Whole(1, 2), length=7))
class DifferenceMobileNetV2TSM(_OnDifferences, MobileNetV2TSM):
    """MMAction2's ``MobileNetV2TSM`` on the differences of neighbouring frames.

    A TSM shifts a few channels of its inner layers from frame to frame. While these are random, hardly anything of a
    motion reaches the classifier, and a small one trained from scratch stands at chance for long. Differences carry it
    from the first layer on; appearance, which pretrained weights are about, is left out of them.

    Args:
        gain: Factor on the differences, which are smaller than normalised frames.
        strides: Strides of the seven layers in height and width, MobileNetV2's own by default. With these its last
            features of a frame of 48 x 48 pixels are 2 x 2: too few places to tell which way something turns.
        **kwargs: Those of ``MobileNetV2TSM``.
    """

    def __init__(self, gain: float = 2.0, strides: Sequence[int] = (1, 2, 2, 2, 1, 2, 1), **kwargs: object) -> None:
        self.arch_settings = [[*layer[:3], stride] for layer, stride in zip(MOBILENET_LAYERS, strides, strict=True)]
        super().__init__(gain, **kwargs)


@MODELS.register_module()
@checked(gain=Number(0, above=True))
class DifferenceResNetTSM(_OnDifferences, ResNetTSM):
    """MMAction2's ``ResNetTSM`` on the differences of neighbouring frames; see :class:`DifferenceMobileNetV2TSM`.

    Args:
        gain: Factor on the differences, which are smaller than normalised frames.
        **kwargs: Those of ``ResNetTSM``.
    """
