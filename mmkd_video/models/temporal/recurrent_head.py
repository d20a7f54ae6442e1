"""A recurrent classifier over the pooled features of frames."""

from typing import Any

import torch
from mmaction.models.heads import BaseHead
from mmengine.model.weight_init import normal_init
from torch import Tensor, nn

from mmkd_video.core.checked import Number, OneOf, Optional, Whole, checked
from mmkd_video.core.registry import MODELS
from mmkd_video.models.map_of_clips import expect_map_of_clips
from mmkd_video.models.temporal.conv_stack import expect_causal

CELLS = {'lstm': nn.LSTM, 'gru': nn.GRU}


@MODELS.register_module()
@checked(
    num_classes=Whole(1),
    in_channels=Whole(1),
    channels=Whole(1),
    cell=OneOf(*CELLS),
    layers=Whole(1, 16),
    readout=OneOf('last', 'mean'),
    dropout_ratio=Number(0, 1, below=True),
    init_std=Number(0, above=True),
    num_segments=Optional(Whole(1), 'all frames of a sample are one clip'),
)
class RecurrentHead(BaseHead):
    """An LSTM or a GRU over frames, each averaged over its places, and a classifier of what it remembers.

    A head for ``Recognizer2D`` and ``Recognizer3D``, with a neck or without; it is ``torch.nn.LSTM`` or
    ``torch.nn.GRU`` as they are.
    Source: Donahue et al., Long-term Recurrent Convolutional Networks, https://arxiv.org/abs/1411.4389 , which averages
    its predictions over frames: ``readout='mean'``; their scores are averaged here.

    Args:
        num_classes: Number of classes.
        in_channels: Channels of the feature that is read.
        channels: Channels C of the state of each layer.
        cell: ``'lstm'`` or ``'gru'``.
        layers: Number of recurrent layers.
        bidirectional: Whether clips are read backwards too; there is no :meth:`step` then.
        readout: ``'last'``: the output that has seen the whole clip is classified; ``'mean'``: the average of all.
        dropout_ratio: Share of the classifier's inputs that are dropped in training.
        init_std: Standard deviation of the classifier's first weights.
        num_segments: Frames of a clip where samples of a ``Recognizer2D`` hold several clips or crops; by default all
            are one clip.
        **kwargs: Those of ``BaseHead``.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        channels: int = 256,
        cell: str = 'lstm',
        layers: int = 1,
        bidirectional: bool = False,
        readout: str = 'last',
        dropout_ratio: float = 0.5,
        init_std: float = 0.01,
        num_segments: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        self.readout, self.init_std, self.num_segments = readout, init_std, num_segments
        self.bidirectional = bidirectional
        self.rnn = CELLS[cell](in_channels, channels, layers, batch_first=True, bidirectional=bidirectional)
        self.dropout = nn.Dropout(dropout_ratio)
        self.fc_cls = nn.Linear(channels * (2 if bidirectional else 1), num_classes)

    def init_weights(self) -> None:
        """Initialise the classifier; torch has initialised the recurrent layers."""
        normal_init(self.fc_cls, std=self.init_std)

    def forward(self, x: Tensor, num_segs: int | None = None, **kwargs: Any) -> Tensor:
        """Return the class scores ``(N, K)`` of clips.

        Args:
            x: Maps of clips ``(N, C', T, H, W)``, or of their frames in a row ``(N * T, C', H, W)``.
            num_segs: Frames of a sample, of which a ``Recognizer2D`` speaks.
            **kwargs: Keywords that recognizers hand to heads, which are not used.

        Raises:
            ValueError: It has other channels than expected, or is no map.
        """
        outputs, _ = self.rnn(self._tokens(x, num_segs))
        return self.fc_cls(self.dropout(self._read(outputs)))

    def step(self, now: Tensor, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the class scores ``(N, K)`` of all frames so far, and the state for the next one.

        Args:
            now: ``(N, C', H, W)``, the map of one more frame.
            state: Result of the step before: the states ``(N, layers, C)`` of a GRU, states and cells of an LSTM,
                and for ``readout='mean'`` the sum ``(N, C)`` and the number ``(N, 1)`` of outputs; None before the
                first one.

        Raises:
            ValueError: The head reads backwards too.
        """
        expect_causal(self, self.bidirectional, 'bidirectional=False')
        parts = 2 if isinstance(self.rnn, nn.LSTM) else 1
        inner = None if state is None else [each.transpose(0, 1).contiguous() for each in state[:parts]]
        if inner is not None:
            inner = tuple(inner) if parts == 2 else inner[0]
        outputs, inner = self.rnn(self._tokens(now, 1), inner)
        after = [each.transpose(0, 1) for each in (inner if parts == 2 else (inner,))]
        output = outputs[:, 0]
        if self.readout == 'mean':
            total = output if state is None else state[parts] + output
            count = torch.ones_like(output[:, :1]) if state is None else state[parts + 1] + 1
            output, after = total / count, [*after, total, count]
        return self.fc_cls(self.dropout(output)), tuple(after)

    def _tokens(self, x: Tensor, num_segs: int | None) -> Tensor:
        """Return frames as ``(N, T, C')``."""
        if isinstance(x, (tuple, list)) and len(x) == 1:  # as a FrameBackbone gives frames
            (x,) = x
        expect_map_of_clips(x, self.in_channels, 'RecurrentHead')
        if x.ndim == 5:
            frames = x.mean(dim=(3, 4)).transpose(1, 2)
            split = self.num_segments and frames.shape[1] != self.num_segments
            return frames.flatten(0, 1).unflatten(0, (-1, self.num_segments)) if split else frames
        return x.mean(dim=(2, 3)).unflatten(0, (-1, num_segs if num_segs == 1 else self.num_segments or num_segs or 1))

    def _read(self, outputs: Tensor) -> Tensor:
        """Return ``(N, C or 2 C)`` of the outputs ``(N, T, C or 2 C)`` of all times."""
        if self.readout == 'mean':
            return outputs.mean(dim=1)
        if not self.bidirectional:
            return outputs[:, -1]
        ahead, back = outputs.chunk(2, dim=2)
        return torch.cat([ahead[:, -1], back[:, 0]], dim=1)
