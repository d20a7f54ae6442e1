"""A head that looks for itself at what a frozen encoder gives."""

import torch.nn.functional as F
from torch import Tensor, nn, zeros

from mmkd_video.core.checked import Optional, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS

WIDEST_HEAD = 64


@MODELS.register_module()
@checked(channels=Whole(1), num_classes=Whole(1), num_heads=Optional(Whole(1), 'one for each 64 channels'))
class AttentiveProbe(nn.Module):
    """Cross-attention of one learned query to all tokens, an MLP, and a linear classifier.

    The attentive probe of V-JEPA (https://arxiv.org/abs/2404.08471, section 4.2 and appendix; V-JEPA 2,
    https://arxiv.org/abs/2506.09985, puts three layers of self-attention before it, which are left out here). As there,
    the tokens are normalised, the query is not, and the attention has no layer after it.

    Args:
        channels: Number C of channels of a token.
        num_classes: Number K of classes.
        num_heads: Number of attention heads, which divides C; by default one for each 64 channels, where that divides.

    Raises:
        ValueError: The heads do not divide the channels.
    """

    def __init__(self, channels: int, num_classes: int, num_heads: int | None = None) -> None:
        super().__init__()
        self.num_heads = num_heads or _heads(channels)
        if channels % self.num_heads:
            raise WrongValueError(
                f'num_heads: got {self.num_heads}; expected a number that divides {channels} channels'
            )
        self.query = nn.Parameter(zeros(1, 1, channels))
        self.norm_tokens, self.norm_pooled = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.to_query, self.to_key_value = nn.Linear(channels, channels), nn.Linear(channels, 2 * channels)
        self.mlp = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))
        self.linear = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        nn.init.trunc_normal_(self.query, std=0.02)

    def pool(self, tokens: Tensor) -> Tensor:
        """Return one vector for each clip.

        Args:
            tokens: ``(N, L, C)``.

        Returns:
            ``(N, C)``.
        """
        count, channels = len(tokens), tokens.shape[-1]
        query = self.query.expand(count, -1, -1)
        key, value = self.to_key_value(self.norm_tokens(tokens)).chunk(2, dim=-1)
        split = (self.num_heads, channels // self.num_heads)
        parts = (each.unflatten(-1, split).transpose(1, 2) for each in (self.to_query(query), key, value))
        found = query + F.scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2)
        return (found + self.mlp(self.norm_pooled(found))).squeeze(1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the class scores.

        Args:
            tokens: ``(N, L, C)``.

        Returns:
            ``(N, K)``.
        """
        return self.linear(self.pool(tokens))


def _heads(channels: int) -> int:
    return channels // WIDEST_HEAD if channels % WIDEST_HEAD == 0 else 1
