"""MMAction2's TSM backbones with shifts in one direction."""

from collections.abc import Sequence

from mmaction.models.backbones import MobileNetV2TSM, ResNetTSM
from torch import Tensor

from mmkd_video.core.checked import ListOf, Number, Optional, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.models.frame_differences import MOBILENET_LAYERS
from mmkd_video.models.streaming.online_shift import make_shifts_one_way
from mmkd_video.models.streaming.past_differences import PastDifferences

GAIN = Optional(Number(0, above=True), 'frames as they are')


class _OneWay:
    """Mixin before a TSM backbone: it shifts from each frame to the next only, and may see differences of frames.

    Args:
        difference_gain: Factor on the differences from the frame before; None for frames as they are.
        **kwargs: Those of the backbone.
    """

    def __init__(self, difference_gain: float | None = None, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.differences = None if difference_gain is None else PastDifferences(self.num_segments, difference_gain)

    def make_temporal_shift(self) -> None:
        """Shift as the backbone does, in one direction."""
        super().make_temporal_shift()
        make_shifts_one_way(self)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the features of frames.

        Args:
            x: ``(N * T, C, H, W)`` with T = ``num_segments``; ``(N, C, H, W)``, one frame of each sample, in a stream.
        """
        return super().forward(x if self.differences is None else self.differences(x))


@MODELS.register_module()
@checked(difference_gain=GAIN, strides=ListOf(Whole(1, 2), length=7))
class OnlineMobileNetV2TSM(_OneWay, MobileNetV2TSM):
    """MMAction2's ``MobileNetV2TSM`` for streams: its shifts move channels from each frame to the next only.

    Its weights have the names of the two-way one's, so that a checkpoint of that can be trained on.

    Source: Lin et al., TSM, ICCV 2019, https://arxiv.org/abs/1811.08383, section 3.3 (online models).

    Args:
        difference_gain: Factor on the differences from the frame before, which the backbone then sees instead of
            frames; see :class:`~mmkd_video.models.DifferenceMobileNetV2TSM`. None for frames as they are.
        strides: Strides of the seven layers in height and width, MobileNetV2's own by default.
        **kwargs: Those of ``MobileNetV2TSM``.
    """

    def __init__(
        self, difference_gain: float | None = None, strides: Sequence[int] = (1, 2, 2, 2, 1, 2, 1), **kwargs: object
    ) -> None:
        self.arch_settings = [[*layer[:3], stride] for layer, stride in zip(MOBILENET_LAYERS, strides, strict=True)]
        super().__init__(difference_gain, **kwargs)


@MODELS.register_module()
@checked(difference_gain=GAIN)
class OnlineResNetTSM(_OneWay, ResNetTSM):
    """MMAction2's ``ResNetTSM`` for streams; see :class:`OnlineMobileNetV2TSM`.

    Args:
        difference_gain: Factor on the differences from the frame before; None for frames as they are.
        **kwargs: Those of ``ResNetTSM``, without ``temporal_pool`` and ``non_local``, which look at later frames.

    Raises:
        ValueError: One of those is given.
    """

    def __init__(self, difference_gain: float | None = None, **kwargs: object) -> None:
        for name in ('temporal_pool', 'non_local_cfg'):
            if kwargs.get(name):
                raise WrongValueError(
                    f'OnlineResNetTSM.{name}: got {kwargs[name]!r}, which looks at later frames; expected nothing; '
                    'take it out'
                )
        super().__init__(difference_gain, **kwargs)
