"""The tokens of its clips that a model sees, where it does not see all."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class TokenSubset:
    """Some tokens of each clip of a batch.

    Attributes:
        kept: ``(N, K)`` int64, the places of the tokens in reading order, ascending in each row.
        grid: Time, height and width of the grid of all tokens.
    """

    kept: Tensor
    grid: tuple[int, int, int]

    @property
    def total(self) -> int:
        """Number L of all tokens of a clip."""
        return math.prod(self.grid)

    def of(self, tokens: Tensor) -> Tensor:
        """Return these tokens of all.

        Args:
            tokens: ``(N, L, C)``, or ``(L, C)`` for what is the same for all clips.

        Returns:
            ``(N, K, C)``.
        """
        if tokens.ndim == 2:
            return tokens[self.kept]
        return tokens.gather(1, self.kept[:, :, None].expand(-1, -1, tokens.shape[2]))

    def mask(self) -> Tensor:
        """Return ``(N, T, H, W)`` bool: True at the tokens that are seen."""
        flat = torch.zeros(len(self.kept), self.total, dtype=torch.bool, device=self.kept.device)
        return flat.scatter_(1, self.kept, True).unflatten(1, self.grid)

    def are(self, feature: Tensor) -> bool:
        """Return whether a feature holds one row for each of these tokens, ``(N, K, C)``.

        Args:
            feature: Any feature in canonical layout.
        """
        return feature.ndim == 3 and feature.shape[:2] == self.kept.shape

    def rows(self, rows: Sequence[int] | None) -> 'TokenSubset':
        """Return those of some clips of the batch.

        Args:
            rows: Indices of the clips; None for all.
        """
        return self if rows is None else TokenSubset(self.kept[rows], self.grid)
