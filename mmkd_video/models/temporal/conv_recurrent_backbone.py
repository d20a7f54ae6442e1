"""A backbone of convolutions within frames and recurrence from frame to frame."""

from collections.abc import Mapping, Sequence

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmkd_video.core.checked import ListOf, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.models.temporal.conv_stack import CELL, ConvStack


@MODELS.register_module()
@checked(
    cell=CELL,
    channels=ListOf(Whole(1), least=1),
    strides=ListOf(Whole(1), least=1),
    layers=Whole(1, 16),
    in_channels=Whole(1),
    out_indices=ListOf(Whole(0), least=1),
)
class ConvRecurrentBackbone(BaseModule):
    """Levels of a strided convolution within each frame and of ConvLSTM or ConvGRU layers above it.

    A backbone for ``Recognizer3D`` that is causal, unless it reads backwards too: it sees motion from its first level
    on, where a recurrent neck sees what is left of it at the end of a 2D network.
    Source: the encoder of Shi et al., https://arxiv.org/abs/1506.04214 ; the convolution between the levels is that of
    Shi et al., https://arxiv.org/abs/1706.03458 .

    Args:
        cell: Config of a recurrent layer, ``dict(type='ConvLSTM', ...)`` or ``dict(type='ConvGRU', ...)``, without its
            channels.
        channels: Channels of each level.
        strides: Strides in height and width of the convolution of each level.
        layers: Recurrent layers of a level.
        bidirectional: Whether clips are read backwards too. A level has twice its channels then, and there is no
            :meth:`step`.
        in_channels: Channels of a frame.
        out_indices: Indices of the levels to return.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        cell: Mapping,
        channels: Sequence[int] = (16, 32, 64),
        strides: Sequence[int] = (2, 2, 2),
        layers: int = 1,
        bidirectional: bool = False,
        in_channels: int = 3,
        out_indices: Sequence[int] = (2,),
    ) -> None:
        super().__init__()
        if len(strides) != len(channels):
            raise WrongValueError(
                f'ConvRecurrentBackbone.strides: got {tuple(strides)}; expected {len(channels)} numbers, one for each '
                'of channels'
            )
        if max(out_indices) >= len(channels):
            raise WrongValueError(
                f'ConvRecurrentBackbone.out_indices: got {tuple(out_indices)}; expected numbers below {len(channels)}, '
                'the number of levels'
            )
        self.out_indices = tuple(out_indices)
        self.convs, self.stacks = nn.ModuleList(), nn.ModuleList()
        for width, stride in zip(channels, strides, strict=True):
            conv = ConvModule(in_channels, width, 3, stride=stride, padding=1, norm_cfg=dict(type='BN2d'))
            stack = ConvStack('ConvRecurrentBackbone.cell', cell, width, width, layers, bidirectional)
            self.convs.append(conv)
            self.stacks.append(stack)
            in_channels = stack.out_channels

    def forward(self, clips: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the maps of the chosen levels, ``(N, C', T, H', W')`` each, alone if there is one.

        Args:
            clips: ``(N, C, T, H, W)``.

        Raises:
            ValueError: The clips are single frames.
        """
        if clips.ndim != 5:
            raise WrongValueError(
                f'ConvRecurrentBackbone: got a batch of shape {tuple(clips.shape)}; expected clips (N, C, T, H, W); '
                "it is a backbone for Recognizer3D, with format_shape='NCTHW'"
            )
        found, count = [], len(clips)
        for conv, stack in zip(self.convs, self.stacks, strict=True):
            frames = conv(clips.transpose(1, 2).flatten(0, 1))
            clips = stack(frames.unflatten(0, (count, -1)).transpose(1, 2))
            found.append(clips)
        return _chosen(found, self.out_indices)

    def step(
        self, frame: Tensor, state: tuple[Tensor, ...] | None = None
    ) -> tuple[Tensor | tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return the maps of one more frame, ``(N, C', H', W')`` each, and the state for the next one.

        Args:
            frame: ``(N, C, H, W)``.
            state: Maps that the step before returned; None before the first one.

        Raises:
            ValueError: The backbone reads backwards too.
        """
        found: list[Tensor] = []
        after: list[Tensor] = []
        for conv, stack in zip(self.convs, self.stacks, strict=True):
            before = None if state is None else state[len(after) : len(after) + stack.states]
            frame, states = stack.step(conv(frame), before)
            found.append(frame)
            after.extend(states)
        return _chosen(found, self.out_indices), tuple(after)


def _chosen(found: list[Tensor], indices: tuple[int, ...]) -> Tensor | tuple[Tensor, ...]:
    chosen = tuple(found[index] for index in indices)
    return chosen if len(chosen) > 1 else chosen[0]
