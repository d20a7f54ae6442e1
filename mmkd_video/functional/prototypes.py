"""Classes as the means of what is known of them."""

import torch
from torch import Tensor

from mmkd_video.functional.normalize import unit


def prototypes(features: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Return the mean feature of each class. Snell et al. (https://arxiv.org/abs/1703.05175), equation 1.

    Args:
        features: ``(N, C)``.
        labels: ``(N,)`` class of each, 0 to ``classes - 1``; every class has one at least.
        classes: Number of classes.

    Returns:
        ``(classes, C)``.
    """
    members = torch.nn.functional.one_hot(labels, classes).to(features.dtype)
    return members.T @ features / members.sum(dim=0)[:, None]


def prototype_scores(features: Tensor, centres: Tensor, distance: str = 'euclidean') -> Tensor:
    """Return class scores by the distance to prototypes; their softmax is the probability of a class.

    Args:
        features: ``(N, C)``.
        centres: ``(K, C)``.
        distance: ``'euclidean'``: minus the squared Euclidean distance, as in the paper; ``'cosine'``: the cosine of
            the angle.

    Returns:
        ``(N, K)``.
    """
    if distance == 'cosine':
        return unit(features, dim=1) @ unit(centres, dim=1).T
    return -(features[:, None] - centres[None]).square().sum(dim=2)
