"""Products of vectors with each other."""

import torch
from torch import Tensor

__all__ = ['gram']


class _Gram(torch.autograd.Function):
    """A matrix times its transpose; being symmetric, one product is enough for the backward pass."""

    @staticmethod
    def forward(ctx, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        return rows @ rows.mT

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return (gradient + gradient.mT) @ ctx.saved_tensors[0]


def gram(rows: Tensor) -> Tensor:
    """Return the products ``(..., R, R)`` of all pairs of rows.

    Args:
        rows: ``(..., R, C)``.
    """
    return _Gram.apply(rows)
