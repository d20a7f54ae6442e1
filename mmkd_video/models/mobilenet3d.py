"""MobileNetV2 over space and time."""

from collections.abc import Sequence

import torch.utils.checkpoint
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmkd_video.core.checked import ListOf, Number, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS

# expansion, channels, blocks and spatial stride of each of the seven layers (MobileNetV2, table 2)
LAYERS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
WIDER = Number(0, 64, above=True)
STEM_CHANNELS, LAST_CHANNELS, DIVISOR = 32, 1280, 8


@MODELS.register_module()
@checked(
    widen_factor=WIDER,
    depth_factor=WIDER,
    temporal_strides=ListOf(Whole(1)),
    spatial_strides=ListOf(Whole(1)),
    last_channels=Whole(1),
    in_channels=Whole(1),
    out_indices=ListOf(Whole(0)),
    frozen_stages=Whole(-1),
)
class MobileNet3d(BaseModule):
    """MobileNetV2 with depthwise 3-D convolutions, a backbone for ``Recognizer3D``.

    The blocks and names (``conv1``, ``layer1`` ... ``layer7``, ``conv2``) are those of MMAction2's 2-D ``MobileNetV2``;
    only the depthwise convolutions look across frames, so that time costs little.

    Source: Koepueklue et al., Resource Efficient 3D Convolutional Neural Networks, ICCVW 2019,
    https://arxiv.org/abs/1904.02422. Factorized convolutions as in Xie et al., S3D, https://arxiv.org/abs/1712.04851.

    Args:
        widen_factor: Factor on all channels; the last layer never has fewer than 1280.
        depth_factor: Factor on the blocks of each layer, at least one each.
        temporal_strides: Strides in time of ``conv1`` and the seven layers. The default halves time in three layers.
        spatial_strides: Strides in height and width of ``conv1`` and the seven layers; MobileNetV2's own by default.
        factorized: Split each depthwise 3x3x3 kernel into 1x3x3 and 3x1x1: fewer multiplications, one more layer.
        last_channels: Channels of ``conv2`` at ``widen_factor <= 1``.
        in_channels: Channels of a frame.
        out_indices: Indices of the layers to return, 0 to 6 for ``layer1`` to ``layer7``, 7 for ``conv2``.
        frozen_stages: Layers that are not trained, from ``conv1`` (0) on; -1 for none.
        norm_eval: Whether to keep the statistics of the batch norms as they are.
        with_cp: Whether to recompute activations in the backward pass to save memory.
        norm_cfg: The norm layers.
        act_cfg: The activations.
        pretrained: Checkpoint to begin from.

    Raises:
        ValueError: A number is out of its range.
    """

    def __init__(
        self,
        widen_factor: float = 1.0,
        depth_factor: float = 1.0,
        temporal_strides: Sequence[int] = (1, 1, 1, 2, 2, 1, 2, 1),
        spatial_strides: Sequence[int] = (2, *(stride for *_, stride in LAYERS)),
        factorized: bool = False,
        last_channels: int = LAST_CHANNELS,
        in_channels: int = 3,
        out_indices: Sequence[int] = (7,),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        with_cp: bool = False,
        norm_cfg: dict | None = None,
        act_cfg: dict | None = None,
        pretrained: str | None = None,
    ) -> None:
        super().__init__(init_cfg=_initialisation(pretrained))
        _check(temporal_strides, spatial_strides, out_indices, frozen_stages)
        self.out_indices, self.frozen_stages, self.norm_eval = tuple(out_indices), frozen_stages, norm_eval
        style = dict(
            conv_cfg=dict(type='Conv3d'),
            norm_cfg=norm_cfg or dict(type='BN3d', requires_grad=True),
            act_cfg=act_cfg or dict(type='ReLU6', inplace=True),
        )
        width = round_channels(STEM_CHANNELS * widen_factor)
        self.conv1 = ConvModule(
            in_channels, width, 3, stride=(temporal_strides[0], *[spatial_strides[0]] * 2), padding=1, **style
        )
        for number, (expansion, channels, blocks, _) in enumerate(LAYERS, start=1):
            first = (temporal_strides[number], *[spatial_strides[number]] * 2)
            layer, channels = nn.Sequential(), round_channels(channels * widen_factor)
            for block in range(max(1, round(blocks * depth_factor))):
                strides = first if block == 0 else (1, 1, 1)
                layer.append(InvertedResidual3d(width, channels, strides, expansion, factorized, with_cp, style))
                width = channels
            self.add_module(f'layer{number}', layer)
        self.out_channels = round_channels(last_channels * max(1.0, widen_factor))
        self.conv2 = ConvModule(width, self.out_channels, 1, **style)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the features of clips.

        Args:
            x: ``(N, in_channels, T, H, W)``.

        Returns:
            ``(N, C, T', H', W')`` of the layer in ``out_indices``, or a tuple of these where it names several.
        """
        x = self.conv1(x)
        found = []
        for index, layer in enumerate(self._layers()):
            x = layer(x)
            if index in self.out_indices:
                found.append(x)
        return found[0] if len(found) == 1 else tuple(found)

    def train(self, mode: bool = True) -> 'MobileNet3d':
        """Switch between training and evaluation; frozen layers stay in evaluation."""
        super().train(mode)
        for module in [self.conv1, *self._layers()][: self.frozen_stages + 1]:
            module.eval().requires_grad_(False)
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _layers(self) -> list[nn.Module]:
        return [*(getattr(self, f'layer{number}') for number in range(1, len(LAYERS) + 1)), self.conv2]


class InvertedResidual3d(BaseModule):
    """Expand the channels, convolve each over space and time, project back; with a shortcut where shapes allow.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Strides in time, height and width.
        expansion: Factor from ``in_channels`` to the channels in between.
        factorized: Whether to convolve over space first, then over time.
        with_cp: Whether to recompute activations in the backward pass.
        style: ``conv_cfg``, ``norm_cfg`` and ``act_cfg``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: tuple[int, int, int],
        expansion: int,
        factorized: bool,
        with_cp: bool,
        style: dict,
    ) -> None:
        super().__init__()
        hidden, self.with_cp = in_channels * expansion, with_cp
        self.shortcut = stride == (1, 1, 1) and in_channels == out_channels
        kernels = (
            [((1, 3, 3), (1, *stride[1:])), ((3, 1, 1), (stride[0], 1, 1))] if factorized else [((3, 3, 3), stride)]
        )
        self.conv = nn.Sequential()
        if expansion != 1:
            self.conv.append(ConvModule(in_channels, hidden, 1, **style))
        for kernel, step in kernels:
            padding = tuple(size // 2 for size in kernel)
            self.conv.append(ConvModule(hidden, hidden, kernel, step, padding, groups=hidden, **style))
        self.conv.append(ConvModule(hidden, out_channels, 1, **{**style, 'act_cfg': None}))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, out_channels, T', H', W')`` for ``x`` of shape ``(N, in_channels, T, H, W)``."""
        if self.with_cp and x.requires_grad:
            out = torch.utils.checkpoint.checkpoint(self.conv, x, use_reentrant=False)
        else:
            out = self.conv(x)
        return x + out if self.shortcut else out


def round_channels(channels: float) -> int:
    """Return the multiple of 8 that is nearest, yet at least 90 % of ``channels`` (MobileNetV2)."""
    rounded = max(DIVISOR, int(channels + DIVISOR / 2) // DIVISOR * DIVISOR)
    return rounded + DIVISOR if rounded < 0.9 * channels else rounded


def _initialisation(pretrained: str | None) -> dict | list[dict]:
    if pretrained is not None:
        return dict(type='Pretrained', checkpoint=pretrained)
    return [dict(type='Kaiming', layer='Conv3d'), dict(type='Constant', layer='_BatchNorm', val=1.0)]


def _check(
    temporal_strides: Sequence[int], spatial_strides: Sequence[int], out_indices: Sequence[int], frozen_stages: int
) -> None:
    for key, strides in (('temporal_strides', temporal_strides), ('spatial_strides', spatial_strides)):
        if len(strides) != len(LAYERS) + 1 or any(stride not in (1, 2) for stride in strides):
            raise WrongValueError(
                f'{key}: got {tuple(strides)}; expected {len(LAYERS) + 1} strides of 1 or 2, one for conv1 and one for '
                'each layer'
            )
    if not out_indices or any(index not in range(len(LAYERS) + 1) for index in out_indices):
        raise WrongValueError(f'out_indices: got {tuple(out_indices)}; expected some of 0 to {len(LAYERS)}')
    if frozen_stages not in range(-1, len(LAYERS) + 2):
        raise WrongValueError(f'frozen_stages: got {frozen_stages}; expected -1 to {len(LAYERS) + 1}')
