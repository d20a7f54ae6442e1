"""TSM's shift in one direction: from each frame to the next."""

import torch
from mmaction.models.backbones.resnet_tsm import TemporalShift
from torch import Tensor, nn

from mmkd_video.recognizers.families import shift_parts_of, shifts_channels
from mmkd_video.recognizers.stream_layer import StreamLayer


class OnlineShift(StreamLayer, TemporalShift):
    """The first ``C // shift_div`` channels of each frame are those of the frame before; the first frame gets zeros.

    Nothing comes from later frames, so that a stream needs to keep these channels of one frame and nothing else.

    Source: Lin et al., TSM, ICCV 2019, https://arxiv.org/abs/1811.08383, section 3.3 (online models).

    Args:
        net: Layer that takes the shifted channels.
        num_segments: Frames of a clip.
        shift_div: One part in so many of the channels is shifted.
    """

    one_way = True

    def forward(self, x: Tensor) -> Tensor:
        """Shift, and run the layer.

        Args:
            x: ``(N * num_segments, C, H, W)``; ``(N, C, H, W)``, one frame of each sample, in a stream.
        """
        if not self.streams:
            return self.net(self.shift(x, self.num_segments, shift_div=self.shift_div))
        _, on = shift_parts_of(self, x.shape[1])
        if not on:  # pruned away
            return self.net(x)
        before = self.recall('past', (x.shape[0], on, *x.shape[2:]), x)
        self.remember('past', x[:, :on])
        return self.net(torch.cat([before, x[:, on:]], dim=1))

    @staticmethod
    def shift(x: Tensor, num_segments: int, shift_div: int = 3) -> Tensor:
        """Shift the first channels of whole clips one frame on.

        Args:
            x: ``(N * num_segments, C, H, W)``.
            num_segments: Frames of a clip.
            shift_div: One part in so many of the channels is shifted.
        """
        on = x.shape[1] // shift_div
        clips = x.unflatten(0, (-1, num_segments))
        late = torch.cat([torch.zeros_like(clips[:, :1, :on]), clips[:, :-1, :on]], dim=1)
        return torch.cat([late, clips[:, :, on:]], dim=2).flatten(0, 1)


def make_shifts_one_way(network: nn.Module) -> None:
    """Replace every two-way shift of a network by one of one direction; the names of weights stay.

    Args:
        network: Network that is changed.
    """
    for name, module in list(network.named_modules()):
        if shifts_channels(module) and not isinstance(module, OnlineShift):
            owner, _, key = name.rpartition('.')
            online = OnlineShift(module.net, module.num_segments, module.shift_div)
            setattr(network.get_submodule(owner), key, online)
