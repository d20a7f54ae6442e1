"""Quality of rankings by similarity."""

import torch
from torch import Tensor

__all__ = ['average_precision', 'recall_at']


def recall_at(relevant: Tensor, k: int) -> Tensor:
    """Return for each ranking whether anything relevant is among its first k, ``(Q,)`` bool.

    Args:
        relevant: ``(Q, M)`` bool, whether each of M items is relevant, the most similar first.
        k: Number of items that are looked at.
    """
    return relevant[:, :k].any(dim=1)


def average_precision(relevant: Tensor) -> Tensor:
    """Return the average precision of each ranking, ``(Q,)`` float64, 0 to 1; 0 where nothing is relevant.

    The mean over relevant items of the share of relevant ones up to and including it.

    Args:
        relevant: ``(Q, M)`` bool, the most similar first.
    """
    hits = relevant.double()
    precision = hits.cumsum(dim=1) / torch.arange(1, relevant.shape[1] + 1, device=relevant.device)
    return (precision * hits).sum(dim=1) / hits.sum(dim=1).clamp(min=1)
