"""The perturbations that a budget allows: a ball around the clean clip, in pixels."""

import torch
from torch import Tensor

NORMS = ('linf', 'l2')
SMALLEST = 1e-12  # a gradient of zero has no direction, and is left at zero


def lengths(difference: Tensor) -> Tensor:
    """Return the Euclidean length of each clip's difference ``(N, ...)``, to be multiplied with it: ``(N, 1, ...)``."""
    flat = torch.linalg.vector_norm(difference.flatten(1), dim=1).clamp_min(SMALLEST)
    return flat.view(-1, *[1] * (difference.ndim - 1))


def project(difference: Tensor, norm: str, epsilon: float) -> Tensor:
    """Return the nearest difference within the budget.

    Args:
        difference: ``(N, ...)``, a clip each, in pixels.
        norm: ``'linf'``, the largest change of a pixel, or ``'l2'``, the Euclidean length over the whole clip.
        epsilon: Radius of the ball, in pixels.
    """
    if norm == 'linf':
        return difference.clamp(-epsilon, epsilon)
    return difference * (epsilon / lengths(difference)).clamp_max(1.0)


def steepest(gradient: Tensor, norm: str) -> Tensor:
    """Return the direction of length 1 in which a loss with this gradient ``(N, ...)`` grows fastest.

    Args:
        gradient: Gradient in pixels.
        norm: The norm in which the length is 1.
    """
    return gradient.sign() if norm == 'linf' else gradient / lengths(gradient)


def random_within(like: Tensor, mask: Tensor | None, norm: str, epsilon: float) -> Tensor:
    """Draw a difference evenly from the ball, from torch's generator of the device.

    Args:
        like: Clips ``(N, ...)``.
        mask: 1 where a difference is allowed, 0 elsewhere; None for everywhere.
        norm: The norm of the ball.
        epsilon: Its radius, in pixels.
    """
    if norm == 'linf':
        drawn = (torch.rand_like(like) * 2 - 1) * epsilon
        return drawn if mask is None else drawn * mask
    drawn = torch.randn_like(like)
    drawn = drawn if mask is None else drawn * mask
    free = drawn[0].numel() if mask is None else mask.expand_as(like)[0].sum().item()
    radius = torch.rand(len(like), *[1] * (like.ndim - 1), device=like.device, dtype=like.dtype) ** (1.0 / free)
    return drawn / lengths(drawn) * radius * epsilon
