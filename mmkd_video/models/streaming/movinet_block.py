"""The block of MoViNets, and what is in it."""

import torch
from torch import Tensor, nn

from mmkd_video.models.mobilenet3d import round_channels
from mmkd_video.models.streaming.frame_layers import FrameConv, FrameNorm, FramePool, PastConv
from mmkd_video.models.streaming.running_mean import RunningMean

SQUEEZE = 0.25  # of the channels, inside a squeeze-excitation
EPS = 1e-3  # of batch norms, as published; their momentum is PyTorch's, for trainings of fewer steps


def norm(channels: int) -> nn.Module:
    """Return a batch norm of clips."""
    return FrameNorm(channels, eps=EPS)


def activation(causal: bool) -> nn.Module:
    """Return the activation: a piecewise one where a device has to follow a stream."""
    return nn.Hardswish() if causal else nn.SiLU()


class MoViNetBlock(nn.Module):
    """Expand the channels, convolve each in space and time, weigh them, project back; beside a shortcut.

    In a causal block the kernel is split into one of space and one of time, and the latter sees no later frame. The
    branch begins at zero (ReZero).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        expanded: Channels inside.
        kernel: Frames of the kernel, and its height and width.
        stride: Stride in height and width.
        causal: Whether no frame looks ahead.
    """

    def __init__(
        self, in_channels: int, out_channels: int, expanded: int, kernel: tuple[int, int], stride: int, causal: bool
    ) -> None:
        super().__init__()
        frames, size = kernel
        self.expand = nn.Sequential(FrameConv(in_channels, expanded), norm(expanded), activation(causal))
        if causal or frames == 1:
            layers = [FrameConv(expanded, expanded, size, stride, groups=expanded), norm(expanded), activation(causal)]
            if frames > 1:
                layers += [PastConv(expanded, frames), norm(expanded), activation(causal)]
        else:
            padding = (frames // 2, size // 2, size // 2)
            shape = (frames, size, size), (1, stride, stride), padding
            whole = nn.Conv3d(expanded, expanded, *shape, groups=expanded, bias=False)
            layers = [whole, norm(expanded), activation(causal)]
        self.conv = nn.Sequential(*layers)
        self.attention = SqueezeExcitation(expanded, causal)
        self.project = nn.Sequential(FrameConv(expanded, out_channels), norm(out_channels))
        self.scale = nn.Parameter(torch.zeros(()))
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.append(FramePool())
        if stride > 1 or in_channels != out_channels:
            self.shortcut.extend([FrameConv(in_channels, out_channels), norm(out_channels)])

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, out_channels, T, H', W')``; ``(N, out_channels, H', W')`` in a stream."""
        found = self.project(self.attention(self.conv(self.expand(x))))
        return self.shortcut(x) + self.scale * found


class SqueezeExcitation(nn.Module):
    """A factor for each channel, told from its average over the clip.

    Where it is causal, each frame has factors of its own, told from its own average and from that of all frames up to
    it.

    Args:
        channels: Number of channels.
        causal: Whether no frame looks ahead.
    """

    def __init__(self, channels: int, causal: bool) -> None:
        super().__init__()
        averages = 2 if causal else 1
        hidden = round_channels(SQUEEZE * channels * averages)
        self.running_mean = RunningMean() if causal else None
        self.reduce, self.expand = (
            FrameConv(averages * channels, hidden, bias=True),
            FrameConv(hidden, channels, bias=True),
        )
        self.activation = activation(causal)
        self.gate = nn.Hardsigmoid() if causal else nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x``, weighed."""
        if self.running_mean is None:
            average = x.mean(dim=(2, 3, 4), keepdim=True)
        else:
            own = x.mean(dim=(-2, -1), keepdim=True)
            past = self.running_mean(own) if x.ndim == 5 else self.running_mean(own[:, :, None])[:, :, 0]
            average = torch.cat([past, own], dim=1)
        return x * self.gate(self.expand(self.activation(self.reduce(average))))
