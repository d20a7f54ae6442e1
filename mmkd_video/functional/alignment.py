"""Similarity of two representations of the same samples."""

import torch
from torch import Tensor

__all__ = ['cka_from_hsic', 'unbiased_hsic']


def unbiased_hsic(first: Tensor, second: Tensor) -> Tensor:
    """Return the unbiased estimate of the Hilbert-Schmidt independence criterion of Song et al. (JMLR 2012).

    It is a U-statistic: its expectation over the samples of a batch does not depend on their number, so that its mean
    over batches estimates the value of all samples (equation 3 of Nguyen et al., https://arxiv.org/abs/2010.15327).

    Args:
        first: Products ``(N, N)`` of all pairs of samples in one representation, N at least 4.
        second: The same in another representation.

    Returns:
        0-d; near 0 where the two are independent, and then also below.
    """
    number = len(first)
    off_diagonal = 1 - torch.eye(number, dtype=first.dtype, device=first.device)
    first, second = first * off_diagonal, second * off_diagonal
    rows, columns = first.sum(dim=1), second.sum(dim=1)
    means = rows.sum() * columns.sum() / ((number - 1) * (number - 2))
    mixed = 2 * (rows @ columns) / (number - 2)
    return ((first * second).sum() + means - mixed) / (number * (number - 3))


def cka_from_hsic(cross: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Return centered kernel alignment (https://arxiv.org/abs/1905.00414), about 0 to 1.

    Args:
        cross: HSIC of the two representations, or its mean over batches; any shape.
        first: HSIC of the first with itself, likewise.
        second: HSIC of the second with itself, likewise.

    Returns:
        The same shape; 0 where a representation does not vary.
    """
    varies = (first > 0) & (second > 0)
    product = torch.where(varies, first * second, 1.0)
    return torch.where(varies, cross / product.sqrt(), 0.0)
