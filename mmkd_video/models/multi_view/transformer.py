"""A Transformer over the tokens of all views."""

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmkd_video.core.checked import Number, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.models.transformer_block import TransformerBlock


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
        self.blocks = nn.ModuleList(TransformerBlock(channels, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(channels)

    def forward(self, tokens: Tensor, seen: Tensor) -> Tensor:
        """Return ``(N, L, C)``; what stands where no token is there means nothing.

        Args:
            tokens: ``(N, L, C)``.
            seen: ``(N, L)``, true where a token is there; one at least of each row.
        """
        for block in self.blocks:
            tokens = block(tokens, seen[:, None, None])
        return self.norm(tokens)
