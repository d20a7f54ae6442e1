"""Unit vectors whose gradient survives the zero vector, and quotients whose gradient is bounded."""

import torch
from torch import Tensor

__all__ = ['LEAST_SPREAD', 'divide', 'mean_norm', 'unit']

EPS = 1e-12
# A loss that knows no scale has a gradient as large as its input is small. What varies by less than this share of its
# size is given the gradient of what varies by that much.
LEAST_SPREAD = 1e-3


class _ScaledGradient(torch.autograd.Function):
    """The tensor itself, with its gradient multiplied by a constant."""

    @staticmethod
    def forward(ctx, tensor: Tensor, factor: Tensor) -> Tensor:
        ctx.save_for_backward(factor)
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.saved_tensors[0], None


def divide(numerator: Tensor, divisor: Tensor, least: float | Tensor) -> Tensor:
    """Return ``numerator / divisor``, with the gradient of a divisor of at least ``least``.

    Args:
        numerator: Any shape.
        divisor: Divisor above 0, broadcast to ``numerator``.
        least: Bound of at least 0; where ``divisor`` is below it, both gradients are multiplied by ``divisor / least``.
    """
    factor = (divisor.detach() / least).clamp_max(1)
    return _ScaledGradient.apply(numerator, factor) / _ScaledGradient.apply(divisor, factor)


def mean_norm(tensor: Tensor, dim: int) -> Tensor:
    """Return the mean length of the vectors along ``dim``, 0-d and without gradient."""
    return torch.linalg.vector_norm(tensor.detach(), dim=dim).mean()


class _Unit(torch.autograd.Function):
    """Vectors over their lengths, of which only the result and the lengths are kept for the backward pass."""

    @staticmethod
    def forward(ctx, tensor: Tensor, dim: int, least: Tensor | None) -> Tensor:
        norm = torch.linalg.vector_norm(tensor, dim=dim, keepdim=True)
        length = norm.clamp_min(EPS)
        units = tensor / length
        ctx.dim = dim
        ctx.save_for_backward(units, norm, length if least is None else length.clamp_min(least))
        return units

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        units, norm, length = ctx.saved_tensors
        along = (units * gradient).sum(ctx.dim, keepdim=True) * (norm >= EPS)
        return (gradient - units * along) * torch.where(norm > 0, 1 / length, 0), None, None


def unit(tensor: Tensor, dim: int, least: Tensor | None = None) -> Tensor:
    """Return ``tensor / max(norm, 1e-12)`` along ``dim``.

    A zero vector stays zero with zero gradient; ``F.normalize`` would multiply its gradient by 1e12.

    Args:
        tensor: Any shape.
        dim: The axis of the vectors.
        least: Length whose gradient shorter vectors are given; None leaves it as it is.
    """
    return _Unit.apply(tensor, dim, least)
