"""Distances between the features of two domains, and the reversal of gradients."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['coral', 'domain_entropy', 'entropy_weights', 'mmd', 'multilinear_map', 'reverse_gradient']


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx, tensor: Tensor, strength: Tensor) -> Tensor:
        ctx.save_for_backward(strength)
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        (strength,) = ctx.saved_tensors
        return -strength * gradient, None


def reverse_gradient(tensor: Tensor, strength: float | Tensor = 1.0) -> Tensor:
    """Return a tensor as it is, whose gradient is multiplied by ``-strength`` (https://arxiv.org/abs/1505.07818).

    Args:
        tensor: ``(...)``.
        strength: Number of at least 0, or a 0-d tensor.
    """
    return _Reversal.apply(tensor, torch.as_tensor(strength, dtype=tensor.dtype, device=tensor.device))


def domain_entropy(scores: Tensor, is_target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Binary cross-entropy of a domain classifier, the mean of the means over both domains.

    Args:
        scores: ``(N,)`` logits of being a target clip.
        is_target: ``(N,)`` bool; holds both values.
        weights: ``(N,)`` weights of the clips; all the same by default.

    Returns:
        Scalar; ``log 2`` where the scores are 0.
    """
    losses = F.binary_cross_entropy_with_logits(scores, is_target.to(scores.dtype), reduction='none')
    weights = torch.ones_like(losses) if weights is None else weights
    means = [(losses * weights)[rows].sum() / weights[rows].sum() for rows in (~is_target, is_target)]
    return 0.5 * (means[0] + means[1])


def multilinear_map(features: Tensor, probabilities: Tensor) -> Tensor:
    """Outer product of features and class probabilities (https://arxiv.org/abs/1705.10667).

    Args:
        features: ``(N, C)``.
        probabilities: ``(N, K)``.

    Returns:
        ``(N, K * C)``.
    """
    return torch.einsum('nk,nc->nkc', probabilities, features).flatten(1)


def entropy_weights(scores: Tensor) -> Tensor:
    """Weights ``1 + exp(-H)`` by the entropy H of class scores, as CDAN+E (https://arxiv.org/abs/1705.10667).

    Args:
        scores: ``(N, K)`` class scores.

    Returns:
        ``(N,)``, in (1, 2].
    """
    logarithms = scores.log_softmax(1)
    return 1.0 + torch.exp((logarithms.exp() * logarithms).sum(1))


def mmd(source: Tensor, target: Tensor, bandwidths: Sequence[float] = (0.25, 0.5, 1.0, 2.0, 4.0)) -> Tensor:
    """Squared maximum mean discrepancy under the mean of several Gaussian kernels (https://arxiv.org/abs/1502.02791).

    ``mean k(s, s') + mean k(t, t') - 2 mean k(s, t)`` over all pairs, with ``k(x, y) = exp(-|x - y|**2 / b)`` and b the
    mean squared distance of two clips of both domains together, times each of ``bandwidths``. It is at least 0, and 0
    for equal samples. The mean distance has no gradient.

    Args:
        source: ``(N, C)``.
        target: ``(M, C)``.
        bandwidths: Factors above 0, one for each kernel.

    Returns:
        Scalar.
    """
    both = torch.cat([source, target])
    squares = both.square().sum(1)
    distances = (squares[:, None] + squares[None] - 2 * both @ both.T).clamp(min=0)
    count = len(both)
    scale = (distances.detach().sum() / max(count * (count - 1), 1)).clamp(min=torch.finfo(both.dtype).tiny)
    kernel = torch.stack([torch.exp(-distances / (scale * factor)) for factor in bandwidths]).mean(0)
    first = len(source)
    return kernel[:first, :first].mean() + kernel[first:, first:].mean() - 2 * kernel[:first, first:].mean()


def coral(source: Tensor, target: Tensor) -> Tensor:
    """Distance of the covariances of two domains (Deep CORAL, https://arxiv.org/abs/1607.01719).

    Args:
        source: ``(N, C)``, N at least 2.
        target: ``(M, C)``, M at least 2.

    Returns:
        ``|Cov(s) - Cov(t)|**2 / (4 C**2)``; a scalar.
    """
    difference = _covariance(source) - _covariance(target)
    return difference.square().sum() / (4 * source.shape[1] ** 2)


def _covariance(features: Tensor) -> Tensor:
    centred = features - features.mean(0, keepdim=True)
    return centred.T @ centred / (len(features) - 1)
