"""Differences of each frame from the one before, of clips and of streams."""

import torch
from torch import Tensor, nn

from mmkd_video.recognizers.stream_layer import StreamLayer


class PastDifferences(StreamLayer, nn.Module):
    """The difference of every frame from the one before it; that of the first is zero.

    Args:
        num_segments: Frames of a clip.
        gain: Factor on the differences.
    """

    def __init__(self, num_segments: int, gain: float) -> None:
        super().__init__()
        self.num_segments, self.gain = num_segments, gain

    def forward(self, x: Tensor) -> Tensor:
        """Return the differences.

        Args:
            x: ``(N * num_segments, C, H, W)``; ``(N, C, H, W)``, one frame of each sample, in a stream.
        """
        if not self.streams:
            clips = x.unflatten(0, (-1, self.num_segments))
            return (torch.cat([torch.zeros_like(clips[:, :1]), clips.diff(dim=1)], dim=1) * self.gain).flatten(0, 1)
        before = self.recall('past', x.shape, x)
        begun = self.recall('begun', (x.shape[0], 1, 1, 1), x)  # 0 at the first frame, which is not compared with zeros
        self.remember('past', x)
        self.remember('begun', (begun + 1).clamp(max=1.0))
        return (x - before) * begun * self.gain
