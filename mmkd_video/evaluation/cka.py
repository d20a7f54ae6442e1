"""Centered kernel alignment that is added up batch by batch."""

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from mmkd_video.functional import cka_from_hsic, gram, unbiased_hsic

LEAST_SAMPLES = 4
"""Fewest samples of a batch from which something follows."""


def centred_gram(rows: Tensor) -> Tensor:
    """Return the products ``(N, N)`` of all pairs of samples, in float64.

    Args:
        rows: Features ``(N, D)``. Their mean is taken away first: no result depends on it, and large means would cost
            digits.
    """
    rows = rows.double()
    return gram(rows - rows.mean(dim=0))


class MinibatchCKA:
    """Linear centered kernel alignment of student and teacher at some pairs of taps, over batches and ranks.

    Kornblith et al., Similarity of Neural Network Representations Revisited (https://arxiv.org/abs/1905.00414), with
    the unbiased estimate from batches of Nguyen et al. (https://arxiv.org/abs/2010.15327): numerator and denominator
    are averaged over batches each. Widths and sizes of the two features may differ.

    Args:
        pairs: Number of pairs of taps.
    """

    def __init__(self, pairs: int) -> None:
        self._sums = torch.zeros(3, pairs, dtype=torch.float64)

    def add(self, pair: int, student: Tensor, teacher: Tensor) -> None:
        """Add one batch.

        Args:
            pair: Index of the pair of taps.
            student: ``(N, N)`` of :func:`centred_gram`, N at least ``LEAST_SAMPLES``.
            teacher: The same samples in the teacher's feature.
        """
        found = [unbiased_hsic(*sides) for sides in ((student, teacher), (student, student), (teacher, teacher))]
        self._sums[:, pair] += torch.stack(found).cpu()

    def values(self) -> list[float]:
        """Return the alignment of each pair over what all ranks added, about 0 to 1."""
        total = self._sums.clone()
        all_reduce(total, 'sum')
        return cka_from_hsic(*total).tolist()


def name_of_pair(taps: tuple[str, str]) -> str:
    """Return the name of a pair of taps in reports.

    Args:
        taps: Those of student and teacher.
    """
    return taps[0] if taps[0] == taps[1] else '-'.join(taps)
