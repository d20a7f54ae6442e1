"""A Transformer over the features of frames."""

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import Number, OneOf, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.models.temporal.conv_stack import expect_causal
from mmkd_video.models.temporal.temporal_neck import TemporalNeck
from mmkd_video.models.transformer_block import TransformerBlock

OUT_OF_REACH = -1e4  # added to the score of a frame that may not be looked at; finite in float16 too


@MODELS.register_module()
@checked(
    in_channels=Whole(1),
    channels=Whole(1),
    layers=Whole(1, 64),
    heads=Whole(1),
    window=Whole(1, 4096),
    output=OneOf('all', 'last', 'mean'),
    dropout=Number(0, 1, below=True),
)
class FrameTransformer(TemporalNeck):
    """A light Transformer whose tokens are the frames of a clip, each averaged over its places.

    A frame knows its distance from the others by learned numbers, one for each head and distance, that are added to the
    scores of the attention; so a clip may have any length. Each head begins with an eye on another distance. It looks
    no further than ``window`` frames, and with ``causal`` at no later ones, so that :meth:`step` needs to remember
    ``window - 1`` frames and no more.
    Sources: Vaswani et al., https://arxiv.org/abs/1706.03762 ; the numbers: Raffel et al.,
    https://arxiv.org/abs/1910.10683 ; where they begin: Cordonnier et al., https://arxiv.org/abs/1911.03584 ; over
    frames: Neimark et al., Video Transformer Network, https://arxiv.org/abs/2102.00719 .

    Args:
        in_channels: Channels of the map.
        channels: Channels C of a token.
        layers: Number of blocks.
        heads: Heads of the attention; they divide ``channels``.
        window: Number of frames, with its own, that a frame looks at in each direction.
        causal: Whether frames look at no later ones.
        output: ``'mean'``: the average of all frames, ``'last'``: the last one; ``'all'``: all of them.
        dropout: Share of attentions and hidden units that are dropped in training.
        **kwargs: Those of :class:`TemporalNeck`.

    Raises:
        ValueError: ``heads`` does not divide ``channels``.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int = 128,
        layers: int = 2,
        heads: int = 4,
        window: int = 16,
        causal: bool = False,
        output: str = 'mean',
        dropout: float = 0.0,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        if channels % heads:
            raise WrongValueError(
                f'FrameTransformer.heads: got {heads}, which does not divide {channels} channels; choose a number that '
                'does'
            )
        self.levels, self.window, self.causal, self.output = (in_channels,), window, causal, output
        self.embed = nn.Linear(in_channels, channels)
        self.blocks = nn.ModuleList(TransformerBlock(channels, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(channels)
        self.distances = nn.Parameter(_first_distances(heads, window, causal).repeat(layers, 1, 1))

    def over_time(self, levels: list[Tensor]) -> Tensor:
        """Return ``(N, C, 1 or T, 1, 1)``.

        Args:
            levels: One map ``(N, C', T, H, W)``.
        """
        tokens = self.embed(levels[0].mean(dim=(3, 4)).transpose(1, 2))
        for block, distances in zip(self.blocks, self.distances, strict=True):
            tokens = block(tokens, self._mask(distances, tokens.shape[1]).to(tokens.dtype))
        tokens = self.norm(tokens)
        if self.output == 'mean':
            tokens = tokens.mean(dim=1, keepdim=True)
        elif self.output == 'last':
            tokens = tokens[:, -1:]
        return tokens.transpose(1, 2)[..., None, None]

    def _mask(self, distances: Tensor, count: int) -> Tensor:
        """Return what is added to the scores, ``(heads, T, T)``; a row looks at columns."""
        times = torch.arange(count, device=distances.device)
        ahead = times - times[:, None]
        reach = (ahead > -self.window) & (ahead < (1 if self.causal else self.window))
        last = distances.shape[1] - 1
        return distances[:, (ahead + self.window - 1).clamp(0, last)].masked_fill(~reach, OUT_OF_REACH)

    def step(self, now: Tensor, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the token of one more frame, ``(N, C, 1, 1)``, and the state for the next one.

        Args:
            now: ``(N, C', H, W)``.
            state: Result of the step before: keys and values ``(N, heads, window - 1, D)`` of each block, and
                whether these frames were there, ``(N, window - 1)``; None before the first one.

        Raises:
            ValueError: Frames look at later ones.
        """
        expect_causal(self, not self.causal, 'causal=True')
        (now,) = self.expect_levels(now, 4)
        tokens = self.embed(now.mean(dim=(2, 3)))[:, None]
        if state is None:
            state = self._initial_state(tokens)
        there = torch.cat([state[-1], torch.ones_like(tokens[:, :, 0])], dim=1)
        after: list[Tensor] = []
        for place, block in enumerate(self.blocks):
            queries, keys, values = block.split(tokens)
            keys, values = torch.cat([state[2 * place], keys], dim=2), torch.cat([state[2 * place + 1], values], dim=2)
            mask = self.distances[place][:, None] + (1 - there[:, None, None]) * OUT_OF_REACH
            tokens = block.attend(tokens, queries, keys, values, mask.to(tokens.dtype))
            after += [keys[:, :, 1:], values[:, :, 1:]]
        return self.norm(tokens).transpose(1, 2)[..., None], (*after, there[:, 1:])

    def _initial_state(self, tokens: Tensor) -> tuple[Tensor, ...]:
        heads = self.blocks[0].heads
        zeros = tokens.new_zeros(len(tokens), heads, self.window - 1, tokens.shape[2] // heads)
        return (*[zeros] * (2 * len(self.blocks)), tokens.new_zeros(len(tokens), self.window - 1))


def _first_distances(heads: int, window: int, causal: bool) -> Tensor:
    """Return what is added to the scores at first, ``(1, heads, distances)``: less, the further from a head's own."""
    own = torch.arange(heads) - (min(heads, window) - 1 if causal else heads // 2)
    if causal:
        own = own.clamp(max=0)
    ahead = torch.arange(1 - window, 1 if causal else window)
    return -(ahead - own[:, None]).abs().float()[None]
