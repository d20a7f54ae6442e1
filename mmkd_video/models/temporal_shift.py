"""TSM's shift in the residual branches of any 2-D backbone."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mmaction.models.backbones.resnet_tsm import TemporalShift
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmkd_video.core.checked import Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.models.residual_branches import find_residual_branches
from mmkd_video.models.streaming.online_shift import OnlineShift
from mmkd_video.recognizers.families import shifts_channels
from mmkd_video.recognizers.input_form import first_channels

PIXELS = 224  # of the frame that branches are looked for on; it is never computed


@MODELS.register_module()
@checked(num_segments=Whole(1), shift_div=Whole(2))
class TemporalShiftBackbone(BaseModule):
    """A 2-D backbone that sees neighbouring frames: a part of the channels moves one frame on, as many one frame back.

    The shift stands before every residual branch that
    :func:`~mmkd_video.models.residual_branches.find_residual_branches` finds, and leaves the shortcut as it is, so that
    no frame forgets its own content. With MMAction2's ``ResNet`` and ``MobileNetV2`` this computes what its
    ``ResNetTSM`` and ``MobileNetV2TSM`` do; every other block of ``ResNetTSM`` with 101 layers and more is an exception
    that is not made here.

    Source: Lin et al., TSM: Temporal Shift Module for Efficient Video Understanding, ICCV 2019,
    https://arxiv.org/abs/1811.08383.

    Args:
        net: Config of the backbone, such as a ``TimmBackbone``, ``ResNet`` or ``MobileNetV2``. It initialises itself as
            it would alone: pretrained weights are those of the plain backbone.
        num_segments: Frames of a clip.
        shift_div: One part in so many of the channels moves in either direction; 8 in the paper.
        online: Whether nothing moves back, so that the backbone can see a stream; see :class:`OnlineMobileNetV2TSM`.

    Raises:
        ValueError: The backbone has no residual branch, or has shifts already.
    """

    def __init__(self, net: Mapping, num_segments: int = 8, shift_div: int = 8, online: bool = False) -> None:
        super().__init__()
        self.net = MODELS.build(dict(net))
        self.num_segments, self.shift_div = num_segments, shift_div
        if any(shifts_channels(module) for module in self.net.modules()):
            raise WrongValueError(
                f'TemporalShiftBackbone.net: got {type(self.net).__name__}, which shifts its channels already; take it '
                'as the backbone itself, or a plain one here'
            )
        channels = first_channels(self.net) or 3
        self.shifted = tuple(find_residual_branches(self.net, (1, channels, PIXELS, PIXELS)))
        if not self.shifted:
            raise WrongValueError(
                f'TemporalShiftBackbone.net: got {type(self.net).__name__}, in which no residual branch was found; '
                'expected a convolutional network that adds maps to what they were computed from'
            )
        for name in self.shifted:
            layer = self.net.get_submodule(name)
            shift = OnlineShift if online else TemporalShift
            _replace(self.net, name, shift(layer, num_segments, shift_div))

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the features of frames.

        Args:
            x: ``(N * num_segments, C, H, W)``, the frames of a clip in a row; ``(N, C, H, W)`` in a stream.

        Returns:
            What the backbone returns.
        """
        return self.net(x)

    def init_weights(self) -> None:
        """Initialise the backbone as it would be without shifts: the names of its weights are the plain ones then."""
        with self._without_shifts():
            super().init_weights()

    @contextmanager
    def _without_shifts(self) -> Iterator[None]:
        shifts = {name: self.net.get_submodule(name) for name in self.shifted}
        for name, shift in shifts.items():
            _replace(self.net, name, shift.net)
        try:
            yield
        finally:
            for name, shift in shifts.items():
                shift.net = self.net.get_submodule(name)
                _replace(self.net, name, shift)


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    owner, _, key = name.rpartition('.')
    setattr(network.get_submodule(owner), key, module)
