"""2D backbones that see what changes from frame to frame."""

import torch
from mmaction.models.backbones import MobileNetV2TSM, ResNetTSM
from torch import Tensor

from mmkd_video.core.checked import Number, checked
from mmkd_video.core.registry import MODELS


def frame_differences(frames: Tensor, num_segments: int, gain: float) -> Tensor:
    """Return, for every frame, how it differs from the one before it; the first is given the second one's.

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
    """Before a 2D backbone with ``num_segments`` among its bases: it gets differences of frames.

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
@checked(gain=Number(0, above=True))
class DifferenceMobileNetV2TSM(_OnDifferences, MobileNetV2TSM):
    """MMAction2's ``MobileNetV2TSM`` on the differences of neighbouring frames.

    A TSM shifts a few channels of its inner layers from frame to frame. While these are random, hardly anything of a
    motion reaches the classifier, and a small one trained from scratch stands at chance for long. Differences carry it
    from the first layer on; appearance, which pretrained weights are about, is left out of them.

    Args:
        gain: Factor on the differences, which are smaller than normalised frames.
        **kwargs: Those of ``MobileNetV2TSM``.
    """


@MODELS.register_module()
@checked(gain=Number(0, above=True))
class DifferenceResNetTSM(_OnDifferences, ResNetTSM):
    """MMAction2's ``ResNetTSM`` on the differences of neighbouring frames; see :class:`DifferenceMobileNetV2TSM`.

    Args:
        gain: Factor on the differences, which are smaller than normalised frames.
        **kwargs: Those of ``ResNetTSM``.
    """
