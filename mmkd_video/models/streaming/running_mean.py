"""The mean over all frames so far."""

import torch
from torch import Tensor, nn

from mmkd_video.recognizers.stream_layer import StreamLayer


class RunningMean(StreamLayer, nn.Module):
    """The mean over the frames up to each one, in float32 inside.

    In a stream, which has no end, the mean over all frames of the past would stand still at last. There it becomes a
    moving average after ``horizon`` frames: each new frame then counts as one of so many.

    Source: the cumulative average pooling of Kondratyuk et al., MoViNets, CVPR 2021, https://arxiv.org/abs/2103.11511.

    Attributes:
        horizon: Number of frames; None for all. A stream's is set at export to the frames of the model's clip.
    """

    def __init__(self) -> None:
        super().__init__()
        self.horizon: int | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean at each time.

        Args:
            x: ``(N, C, T, ...)``; T is 1 in a stream.

        Returns:
            ``(N, C, T, ...)``.
        """
        values = x.float()
        if not self.streams:
            counts = torch.arange(1, x.shape[2] + 1, device=x.device, dtype=torch.float32)
            return (values.cumsum(dim=2) / counts.reshape(-1, *[1] * (x.ndim - 3))).to(x.dtype)
        before = self.recall('mean', values.shape, values)
        count = self.recall('count', (x.shape[0], 1), values) + 1
        if self.horizon is not None:
            count = count.clamp(max=float(self.horizon))
        mean = before + (values - before) / count.reshape(-1, *[1] * (x.ndim - 1))
        self.remember('mean', mean)
        self.remember('count', count)
        return mean.to(x.dtype)
