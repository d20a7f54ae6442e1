"""Unit vectors whose gradient survives the zero vector."""

import torch
from torch import Tensor

__all__ = ['unit']

EPS = 1e-12


def unit(tensor: Tensor, dim: int) -> Tensor:
    """Return ``tensor / max(norm, 1e-12)`` along ``dim``.

    A zero vector stays zero with zero gradient; ``F.normalize`` would multiply its gradient by 1e12.

    Args:
        tensor: Any shape.
        dim: The axis of the vectors.
    """
    norm = torch.linalg.vector_norm(tensor, dim=dim, keepdim=True)
    return torch.where(norm > 0, tensor / norm.clamp_min(EPS), 0.0)
