"""MoViNets, for clips and for streams."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmkd_video.core.checked import ListOf, Number, OneOf, Optional, Text, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.models.mobilenet3d import round_channels
from mmkd_video.models.streaming.frame_layers import FrameConv
from mmkd_video.models.streaming.movinet_arch import ARCHITECTURES, STRIDES
from mmkd_video.models.streaming.movinet_block import MoViNetBlock, activation, norm
from mmkd_video.recognizers.stream_layer import StreamLayer


@MODELS.register_module()
@checked(
    arch=OneOf(*ARCHITECTURES),
    widen_factor=Number(0, 64, above=True),
    spatial_strides=ListOf(Whole(1, 2), length=len(STRIDES)),
    in_channels=Whole(1),
    out_indices=ListOf(Whole(0, 5)),
    pretrained=Optional(Text('the path of a checkpoint'), 'random weights'),
)
class MoViNet(StreamLayer, BaseModule):
    """MoViNet A0, A1 or A2, a backbone for ``Recognizer3D``; with ``causal`` it can see a stream.

    Causal, kernels are split into space and time ((2+1)D), those of time and the averages of squeeze-excitations see no
    later frame, and activations are piecewise. Otherwise kernels are whole, and averages go over the clip. Layers are
    those of the authors' code; frames are padded evenly, where that pads more behind them, and no block is skipped at
    random in training.

    Source: Kondratyuk et al., MoViNets: Mobile Video Networks for Efficient Video Recognition, CVPR 2021,
    https://arxiv.org/abs/2103.11511.

    Args:
        arch: ``'A0'``, ``'A1'`` or ``'A2'``.
        causal: Whether no frame looks ahead.
        widen_factor: Factor on all channels.
        spatial_strides: Strides in height and width of ``conv1`` and the five layers.
        in_channels: Channels of a frame.
        out_indices: Indices of the layers to return, 0 to 4 for ``layer1`` to ``layer5``, 5 for ``conv2``.
        pretrained: Checkpoint to begin from.

    Raises:
        ValueError: A number is out of its range.
    """

    def __init__(
        self,
        arch: str = 'A0',
        causal: bool = True,
        widen_factor: float = 1.0,
        spatial_strides: Sequence[int] = STRIDES,
        in_channels: int = 3,
        out_indices: Sequence[int] = (5,),
        pretrained: str | None = None,
    ) -> None:
        initial = [dict(type='Kaiming', layer='Conv3d'), dict(type='Constant', layer='_BatchNorm', val=1.0)]
        super().__init__(initial if pretrained is None else dict(type='Pretrained', checkpoint=pretrained))
        if not out_indices:
            raise WrongValueError('MoViNet.out_indices: got (); expected some of 0 to 5, such as (5,)')
        self.causal, self.out_indices = causal, tuple(out_indices)
        published = ARCHITECTURES[arch]
        first, *strides = spatial_strides
        width = round_channels(published.stem * widen_factor)
        self.conv1 = nn.Sequential(FrameConv(in_channels, width, 3, first), norm(width), activation(causal))
        for number, (channels, expanded, kernels) in enumerate(published.layers, start=1):
            layer, out = nn.Sequential(), round_channels(channels * widen_factor)
            for block, (inside, kernel) in enumerate(zip(expanded, kernels, strict=True)):
                stride = strides[number - 1] if block == 0 else 1
                layer.append(MoViNetBlock(width, out, round_channels(inside * widen_factor), kernel, stride, causal))
                width = out
            self.add_module(f'layer{number}', layer)
        self.out_channels = round_channels(published.last * widen_factor)
        self.conv2 = nn.Sequential(FrameConv(width, self.out_channels), norm(self.out_channels), activation(causal))

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the features of clips.

        Args:
            x: ``(N, in_channels, T, H, W)``; T is 1 in a stream.

        Returns:
            ``(N, C, T, H', W')`` of the layer in ``out_indices``, or a tuple of these where it names several.
        """
        single = self.causal and self.streams  # a frame, in two dimensions
        x = self.conv1(x[:, :, 0] if single else x)
        found = []
        for index in range(6):
            x = self.conv2(x) if index == 5 else getattr(self, f'layer{index + 1}')(x)
            if index in self.out_indices:
                found.append(x[:, :, None] if single else x)
        return found[0] if len(found) == 1 else tuple(found)
