"""A block of a Transformer."""

from torch import Tensor, nn


class TransformerBlock(nn.Module):
    """Attention and two layers, each behind a layer norm and beside a shortcut.

    Source: Vaswani et al., https://arxiv.org/abs/1706.03762 ; norms stand before attention and layers, as in
    Dosovitskiy et al., https://arxiv.org/abs/2010.11929 .

    Args:
        channels: Channels C of a token.
        heads: Heads of the attention; they divide ``channels``.
        dropout: Share of attentions and hidden units that are dropped in training.
    """

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.qkv, self.proj = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 2 * channels), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * channels, channels)
        )

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return ``(N, L, C)``.

        Args:
            tokens: ``(N, L, C)``.
            mask: Anything that broadcasts to ``(N, heads, L, L)``: true where a token may look, or numbers that are
                added to the scores of the attention.
        """
        return self.attend(tokens, *self.split(tokens), mask)

    def split(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values of tokens, ``(N, heads, L, D)`` each.

        Args:
            tokens: ``(N, L, C)``.
        """
        return self.qkv(self.norm1(tokens)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)

    def attend(self, tokens: Tensor, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """Return ``(N, L, C)``: tokens after attention to keys that may be of other tokens too.

        Args:
            tokens: ``(N, L, C)``.
            queries: ``(N, heads, L, D)``, those of the tokens.
            keys: ``(N, heads, S, D)``.
            values: ``(N, heads, S, D)``.
            mask: Mask as in :meth:`forward`, for ``(N, heads, L, S)``.
        """
        found = nn.functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask, dropout_p=self.dropout if self.training else 0.0
        )
        tokens = tokens + self.proj(found.transpose(1, 2).flatten(2))
        return tokens + self.mlp(self.norm2(tokens))
