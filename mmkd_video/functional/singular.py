"""Leading singular vectors of features, with a gradient that survives equal and vanishing singular values."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmkd_video.functional.layout import channels_and_positions
from mmkd_video.functional.normalize import unit

__all__ = ['right_singular_vectors', 'kdsvd']

NUM_SPARE = 3
KERNEL_WIDTH = 8
ROUNDING = 1e-7  # share of the largest singular value below which another is none


def _safe_inverse(tensor: Tensor, cutoff: Tensor) -> Tensor:
    return torch.where(tensor.abs() > cutoff, 1 / torch.where(tensor == 0, 1, tensor), 0)


class _RightSingularVectors(torch.autograd.Function):
    """Singular vectors by the eigenvectors of the smaller Gram matrix, in float64; cheaper than a decomposition.

    The square loses half of the digits, of which float64 has enough: directions below ``ROUNDING`` of the largest
    singular value are taken for zero. The derivative divides by differences of squared singular values, where the stock
    one gives NaN for a dead or constant map; here directions of numerically equal singular values count as fixed.
    """

    @staticmethod
    def forward(ctx, matrix: Tensor) -> tuple[Tensor, Tensor]:
        scale = matrix.abs().amax((-2, -1), keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
        rows = matrix.double() / scale
        wide = matrix.shape[-2] <= matrix.shape[-1]
        squares, found = torch.linalg.eigh(rows @ rows.mT if wide else rows.mT @ rows)
        found, values = found.flip(-1), squares.flip(-1).clamp_min(0).sqrt()
        other = (rows.mT if wide else rows) @ found * _safe_inverse(values, ROUNDING * values[..., :1]).unsqueeze(-2)
        left, vectors = (found, other) if wide else (other, found)
        left, vectors, values = (each.to(matrix.dtype) for each in (left, vectors, values))
        ctx.save_for_backward(left, values, vectors, scale)
        values = values * scale.squeeze(-1)
        ctx.mark_non_differentiable(values)
        return vectors, values

    @staticmethod
    def backward(ctx, gradient: Tensor, _: Tensor) -> Tensor:
        left, values, vectors, scale = ctx.saved_tensors
        tiny = max(10 * torch.finfo(values.dtype).eps, ROUNDING) * values[..., :1]
        squares = values.square()
        gaps = _safe_inverse(squares.unsqueeze(-2) - squares.unsqueeze(-1), (tiny * values[..., :1]).unsqueeze(-1))
        inner = vectors.transpose(-2, -1) @ gradient
        within = values.unsqueeze(-1) * (inner - inner.transpose(-2, -1)) * gaps
        outside = _safe_inverse(values, tiny).unsqueeze(-1) * (gradient - vectors @ inner).transpose(-2, -1)
        return left @ (within @ vectors.transpose(-2, -1) + outside) / scale


def right_singular_vectors(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return right singular vectors ``(..., C, R)`` and singular values ``(..., R)``, largest first.

    Args:
        matrix: ``(..., P, C)``; R is the smaller of P and C. The sign of each vector is arbitrary, one without a
            singular value may be zero, and only the vectors carry a gradient.
    """
    return _RightSingularVectors.apply(matrix)


def _leading(feature: Tensor, count: int) -> tuple[Tensor, Tensor]:
    vectors, values = right_singular_vectors(channels_and_positions(feature).transpose(1, 2))
    return vectors[..., :count], unit(values[..., :count], 1)


def _fix_signs(vectors: Tensor) -> Tensor:
    """Make the component of largest magnitude of every vector (axis 1) positive."""
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return vectors * largest.sign()


def _select(candidates: Tensor, vectors: Tensor) -> Tensor:
    """Return for each vector ``(N, C, k)`` the candidate closest in direction, turned to its side."""
    cosines = candidates.detach().transpose(1, 2) @ vectors
    best = cosines.abs().argmax(1, keepdim=True)
    chosen = candidates.gather(2, best.expand(-1, candidates.shape[1], -1))
    return chosen * cosines.gather(1, best).sign()


def _kernel(vectors: Tensor, earlier: Tensor) -> Tensor:
    """Return ``(N, C2, C1, k)``: the Gaussian kernel between the channels of two consecutive layers."""
    count = min(vectors.shape[2], earlier.shape[2])
    difference = vectors[..., :count].unsqueeze(2) - earlier[..., :count].unsqueeze(1)
    return torch.exp(-difference.square() / KERNEL_WIDTH)


def kdsvd(student: Sequence[Tensor], teacher: Sequence[Tensor], k: int) -> Tensor:
    """KD-SVD
    (https://openaccess.thecvf.com/content_ECCV_2018/html/SEUNG_HYUN_LEE_Self-supervised_Knowledge_Distillation_ECCV_2018_paper.html).

    The teacher's k leading right singular vectors (channel space) of every layer are matched by the student's nearest
    ones out of its ``k + 3``; both are scaled by the teacher's normalised singular values. The sign of the teacher's
    vectors is fixed by their largest component.

    Args:
        student: L features, tokens ``(N, L, C)`` or maps ``(N, C, [T,] H, W)``.
        teacher: L features with the same channels, any positions.
        k: Number of vectors; fewer where channels or positions are fewer.

    Returns:
        A scalar: the sum over consecutive layers of the squared difference of the kernels between their channels, over
        N.
    """
    total, previous = student[0].new_zeros(()), None
    for ours, theirs in zip(student, teacher, strict=True):
        vectors, values = _leading(theirs, k)
        vectors = _fix_signs(vectors)
        candidates, _ = _leading(ours, k + NUM_SPARE)
        current = [side * values.unsqueeze(1) for side in (_select(candidates, vectors), vectors)]
        if previous is not None:
            kernels = [_kernel(now, before) for now, before in zip(current, previous, strict=True)]
            total = total + (kernels[0] - kernels[1]).square().sum() / len(ours)
        previous = current
    return total
