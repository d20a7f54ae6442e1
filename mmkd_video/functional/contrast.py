"""Contrast of one positive against many negatives."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['noise_contrast', 'other_indices']


def other_indices(indices: Tensor, count: int, num_samples: int) -> Tensor:
    """Draw ``(N, count)`` indices of other samples, uniformly and with repetition.

    Args:
        indices: ``(N,)`` own index of each sample, in ``[0, num_samples)``.
        count: Number of indices to draw for each.
        num_samples: Number of samples, at least 2.
    """
    drawn = torch.randint(num_samples - 1, (len(indices), count), device=indices.device)
    return drawn + (drawn >= indices.unsqueeze(1))


def noise_contrast(scores: Tensor, log_partition: Tensor, num_samples: int) -> Tensor:
    """Noise-contrastive estimation with uniform noise, in log-space.

    Args:
        scores: ``(N, 1 + M)``: similarity over temperature to the positive (first) and to M negatives.
        log_partition: 0-d: logarithm of the constant that normalises ``exp(scores)`` over the data set.
        num_samples: Size of the data set.

    Returns:
        ``-(log P(positive is data) + sum log P(negative is noise))``, averaged over the N samples; a scalar.
    """
    num_negatives = scores.shape[1] - 1
    odds = scores - log_partition - math.log(num_negatives / num_samples)
    return -(F.logsigmoid(odds[:, 0]) + F.logsigmoid(-odds[:, 1:]).sum(1)).mean()
