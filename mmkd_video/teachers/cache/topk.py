"""Class scores of which the highest are kept.

Marginal smoothing of FKD (https://arxiv.org/abs/2112.01528): the probabilities of the k best classes are kept, what is
left of one is spread evenly over the others. Kept are logarithms: half precision then holds small probabilities.
"""

import torch
from torch import Tensor

LEAST = 1e-12  # of the probability that is left for all others


def keep_topk(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return what is kept of class scores.

    Args:
        logits: ``(N, K)``.
        k: Number of classes to keep, below K.

    Returns:
        ``(N, k + 1)`` logarithms of probabilities, of the k best classes and of each other one; ``(N, k)`` which
        classes the best are.
    """
    logits = logits.double()
    probabilities = logits.softmax(dim=1)
    best, classes = probabilities.topk(k, dim=1)
    others = logits.shape[1] - k
    # summed up, not 1 - sum: what is left of a sure teacher would be rounded away
    left = probabilities.scatter(1, classes, 0.0).sum(dim=1, keepdim=True).clamp(min=LEAST) / others
    return torch.cat([best.clamp(min=LEAST), left], dim=1).log().float(), classes.int()


def spread_rest(values: Tensor, classes: Tensor, num_classes: int) -> Tensor:
    """Return class scores whose softmax is what :func:`keep_topk` kept.

    Args:
        values: ``(N, k + 1)``.
        classes: ``(N, k)``.
        num_classes: K.

    Returns:
        ``(N, K)`` logarithms of probabilities.
    """
    scores = values[:, -1:].expand(-1, num_classes).clone()
    return scores.scatter_(1, classes.long(), values[:, :-1])
