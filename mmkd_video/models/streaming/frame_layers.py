"""Layers over the frames of a clip, which compute one frame of a stream in two dimensions."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmkd_video.recognizers.stream_layer import StreamLayer


class FrameConv(nn.Conv3d):
    """A convolution in space, of ``(N, C, T, H, W)`` or of single frames ``(N, C, H, W)``.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Height and width of the kernel, odd.
        stride: Stride in height and width.
        groups: Groups of channels.
        bias: Whether there is a bias.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        stride: int = 1,
        groups: int = 1,
        bias: bool = False,
    ) -> None:
        kernel, strides, padding = (1, *[kernel_size] * 2), (1, *[stride] * 2), (0, *[kernel_size // 2] * 2)
        super().__init__(in_channels, out_channels, kernel, strides, padding, groups=groups, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve each frame."""
        if x.ndim == 5:
            return super().forward(x)
        weight = self.weight.squeeze(2)
        return functional.conv2d(x, weight, self.bias, self.stride[1:], self.padding[1:], groups=self.groups)


class PastConv(StreamLayer, nn.Conv3d):
    """A depthwise convolution over the present frame and those before it; before the first one are zeros.

    Args:
        channels: Number of channels.
        kernel_size: Number of frames that the kernel sees.
    """

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__(channels, channels, (kernel_size, 1, 1), groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve in time.

        Args:
            x: ``(N, C, T, H, W)``; ``(N, C, H, W)`` in a stream.
        """
        frames = self.kernel_size[0] - 1
        if not self.streams:
            return super().forward(functional.pad(x, (0, 0, 0, 0, frames, 0)))
        past = self.recall('past', (x.shape[0], frames, *x.shape[1:]), x)
        weights = self.weight[:, 0, :, 0, 0].unbind(1)
        found = x * weights[-1][:, None, None]
        for index in range(frames):
            found = found + past[:, index] * weights[index][:, None, None]
        self.remember('past', torch.cat([past[:, 1:], x[:, None]], dim=1))
        return found


class FrameNorm(nn.BatchNorm3d):
    """A batch norm of ``(N, C, T, H, W)``, or of single frames ``(N, C, H, W)``."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim not in (4, 5):
            super()._check_input_dim(input)


class FramePool(nn.Module):
    """The average of 3 x 3 pixels at every second one, of clips or of single frames; pixels outside do not count."""

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, C, T, H', W')`` of ``(N, C, T, H, W)``, ``(N, C, H', W')`` of ``(N, C, H, W)``."""
        maps = x if x.ndim == 4 else x.flatten(1, 2)
        found = functional.avg_pool2d(maps, 3, 2, 1, count_include_pad=False)
        return found if x.ndim == 4 else found.unflatten(1, x.shape[1:3])
