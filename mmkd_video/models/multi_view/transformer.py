"""A Transformer over the tokens of all views."""

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmkd_video.core.checked import Number, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS


class _Block(nn.Module):
    """Attention and two layers, each behind a layer norm and beside a shortcut."""

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.qkv, self.proj = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 2 * channels), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * channels, channels)
        )

    def forward(self, tokens: Tensor, seen: Tensor) -> Tensor:
        queries, keys, values = self.qkv(self.norm1(tokens)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        found = nn.functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=seen[:, None, None], dropout_p=self.dropout if self.training else 0.0
        )
        tokens = tokens + self.proj(found.transpose(1, 2).flatten(2))
        return tokens + self.mlp(self.norm2(tokens))


@MODELS.register_module()
@checked(channels=Whole(1), layers=Whole(1), heads=Whole(1), dropout=Number(0, 1, below=True))
class ViewTransformer(BaseModule):
    """A Transformer encoder whose tokens attend to those that are there alone.

    Source: Vaswani et al., https://arxiv.org/abs/1706.03762 ; norms stand before attention and layers, as in
    Dosovitskiy et al., https://arxiv.org/abs/2010.11929 .

    Args:
        channels: Channels C of a token.
        layers: Number of blocks.
        heads: Heads of the attention; they divide ``channels``.
        dropout: Share of attentions and hidden units that are dropped in training.

    Raises:
        ValueError: ``heads`` does not divide ``channels``.
    """

    def __init__(self, channels: int, layers: int = 1, heads: int = 4, dropout: float = 0.0) -> None:
        super().__init__()
        if channels % heads:
            raise WrongValueError(
                f'ViewTransformer.heads: got {heads}, which does not divide {channels} channels; choose a number that '
                'does'
            )
        self.blocks = nn.ModuleList(_Block(channels, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(channels)

    def forward(self, tokens: Tensor, seen: Tensor) -> Tensor:
        """Return ``(N, L, C)``; what stands where no token is there means nothing.

        Args:
            tokens: ``(N, L, C)``.
            seen: ``(N, L)``, true where a token is there; one at least of each row.
        """
        for block in self.blocks:
            tokens = block(tokens, seen)
        return self.norm(tokens)
