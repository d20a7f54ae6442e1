"""Distributions over the positions of every channel."""

from torch import Tensor
from torch.utils.checkpoint import checkpoint

from mmkd_video.functional.divergence import kl_divergence, log_probabilities
from mmkd_video.functional.gram import gram
from mmkd_video.functional.layout import channels_and_positions
from mmkd_video.functional.normalize import unit

__all__ = ['cwd', 'nst']

CHUNK_ELEMENTS = 2**24


def cwd(student: Tensor, teacher: Tensor, temperature: float | Tensor) -> Tensor:
    """Channel-wise distillation (https://arxiv.org/abs/2011.13256): each channel is a distribution over positions.

    Args:
        student: Tokens ``(N, L, C)`` or map ``(N, C, [T,] H, W)``.
        teacher: The same shape.
        temperature: Positive number that divides both features; its square multiplies the result.

    Returns:
        ``temperature**2 * KL(teacher || student)``, averaged over N samples and C channels; a scalar.
    """
    student, teacher = channels_and_positions(student), channels_and_positions(teacher)
    divergence = kl_divergence(log_probabilities(student, temperature), log_probabilities(teacher, temperature))
    return divergence.mean() * temperature**2


def _discrepancies(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the sum over samples of ``mean k(t, t) + mean k(s, s) - 2 * mean k(s, t)``; channels have length 1."""
    if student.shape[2] <= max(student.shape[1], teacher.shape[1]):
        gram_s, gram_t = (gram(feature.mT) / feature.shape[1] for feature in (student, teacher))
        return (gram_s - gram_t).square().sum()
    products = gram(teacher), gram(student), student @ teacher.mT
    theirs, ours, mixed = (product.square().mean((1, 2)).sum() for product in products)
    return theirs + ours - 2 * mixed


def nst(student: Tensor, teacher: Tensor, chunk_elements: int = CHUNK_ELEMENTS) -> Tensor:
    """Neuron selectivity transfer (https://arxiv.org/abs/1707.01219): maximum mean discrepancy of the channels.

    The polynomial kernel is ``<f_c, f_d>**2`` of channels of unit length over their positions. Its sums over channels
    equal sums over pairs of positions, so that the smaller of the two Gram matrices is enough.

    Args:
        student: Tokens ``(N, L, Cs)`` or map ``(N, Cs, [T,] H, W)``.
        teacher: The same positions, any number of channels.
        chunk_elements: Bound on the numbers in the Gram matrices held at a time; samples beyond it are computed in
            chunks, which are computed once more in the backward pass. The value does not depend on it.

    Returns:
        A scalar: ``mean k(t, t) + mean k(s, s) - 2 * mean k(s, t)``.
    """
    student, teacher = (unit(channels_and_positions(feature), 2) for feature in (student, teacher))
    num_samples = len(student)
    side = min(student.shape[2], max(student.shape[1], teacher.shape[1]))
    size = max(1, chunk_elements // (3 * side**2))
    if size >= num_samples:
        return _discrepancies(student, teacher) / num_samples
    parts = zip(student.split(size), teacher.split(size), strict=True)
    return sum(checkpoint(_discrepancies, *part, use_reentrant=False) for part in parts) / num_samples
