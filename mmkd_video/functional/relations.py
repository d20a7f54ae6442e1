"""Relations between the samples of a batch."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from mmkd_video.functional.gram import gram
from mmkd_video.functional.normalize import LEAST_SPREAD, divide, mean_norm, unit

__all__ = [
    'cc',
    'pairwise_distances',
    'pkt',
    'rkd_angles',
    'rkd_distances',
    'sp',
]

MIN_DISTANCE = 1e-6
PKT_EPS = 1e-7
CHUNK_ELEMENTS = 2**24


def sp(student: Tensor, teacher: Tensor) -> Tensor:
    """Similarity-preserving distillation (https://arxiv.org/abs/1907.09682).

    Args:
        student: ``(N, ...)``; each sample is one vector.
        teacher: ``(N, ...)``; its size per sample may differ.

    Returns:
        ``|R(F_s F_s^T) - R(F_t F_t^T)|**2 / N**2`` with R the L2-normalisation of rows; a scalar.
    """
    student, teacher = (unit(gram(feature), 1) for feature in (student.flatten(1), teacher.flatten(1)))
    return F.mse_loss(student, teacher)


def cc(student: Tensor, teacher: Tensor) -> Tensor:
    """Correlation between the errors of consecutive samples (https://arxiv.org/abs/1904.01802).

    Args:
        student: ``(N, ...)``; each sample is one vector. The value depends on the order of the samples.
        teacher: The same shape.

    Returns:
        ``mean_i sum_d |s - t|[i, d] * |s - t|[i + 1, d]``, a scalar; zero with zero gradient for one sample.
    """
    error = (student.flatten(1) - teacher.flatten(1)).abs()
    if len(error) == 1:
        return error.sum() * 0
    return (error[:-1] * error[1:]).sum(1).mean()


def pkt(student: Tensor, teacher: Tensor) -> Tensor:
    """PKT (https://arxiv.org/abs/1803.10837): divergence of the neighbour probabilities in a batch.

    Args:
        student: ``(N, ...)``; each sample is one vector.
        teacher: ``(N, ...)``; its size per sample may differ.

    Returns:
        The mean over ``N * N`` of ``p_t * log((p_t + 1e-7) / (p_s + 1e-7))`` with p the row-normalised
        ``(cosine + 1) / 2``; a scalar.
    """

    def neighbours(feature: Tensor) -> Tensor:
        feature = feature.flatten(1)
        length = torch.linalg.vector_norm(feature, dim=1, keepdim=True) + PKT_EPS
        feature = divide(feature, length, LEAST_SPREAD * mean_norm(feature, 1))
        similarity = (gram(feature) + 1) / 2
        return similarity / similarity.sum(1, keepdim=True)

    student, teacher = neighbours(student), neighbours(teacher)
    return (teacher * ((teacher + PKT_EPS).log() - (student + PKT_EPS).log())).mean()


def pairwise_distances(feature: Tensor) -> Tensor:
    """Return the Euclidean distances ``(N, N)`` of N vectors, from their differences; zero diagonal.

    Args:
        feature: ``(N, ...)``; each sample is one vector.
    """
    feature = feature.flatten(1)
    return torch.cdist(feature, feature, compute_mode='donot_use_mm_for_euclid_dist')


def _scaled_distances(feature: Tensor) -> Tensor:
    """Return distances in units of their off-diagonal mean; coincident rows count as 1e-6, the diagonal as 0.

    Where that mean is below a thousandth of the rows' length, the gradient is as if it were that much.
    """
    distances = pairwise_distances(feature).clamp_min(MIN_DISTANCE)
    distances = distances * (1 - torch.eye(len(distances), dtype=distances.dtype, device=distances.device))
    mean = distances.sum() / (len(distances) * (len(distances) - 1))
    return divide(distances, mean, LEAST_SPREAD * mean_norm(feature.flatten(1), 1))


def rkd_distances(student: Tensor, teacher: Tensor) -> Tensor:
    """Distance-wise relational distillation (https://arxiv.org/abs/1904.05068).

    Args:
        student: ``(N, ...)``; each sample is one vector.
        teacher: ``(N, ...)``; its size per sample may differ.

    Returns:
        The Huber loss of distances over their mean, averaged over ``N * N`` including the diagonal; a scalar, zero with
        zero gradient for one sample.
    """
    if len(student) == 1:
        return student.sum() * 0
    return F.smooth_l1_loss(_scaled_distances(student), _scaled_distances(teacher))


def _cosines(feature: Tensor, start: int, stop: int) -> Tensor:
    """Return ``(stop - start, N, N)``: cosines of the angles that all pairs form at the vertices start to stop.

    The gradient of rays shorter than a thousandth of the rows is that of rays of such a length.
    """
    least = LEAST_SPREAD * mean_norm(feature, 1)
    rays = unit(feature.unsqueeze(0) - feature[start:stop].unsqueeze(1), 2, least)
    return gram(rays)


def _angle_errors(student: Tensor, teacher: Tensor, start: int, stop: int) -> Tensor:
    return F.smooth_l1_loss(_cosines(student, start, stop), _cosines(teacher, start, stop), reduction='sum')


def rkd_angles(student: Tensor, teacher: Tensor, chunk_elements: int = CHUNK_ELEMENTS) -> Tensor:
    """Angle-wise relational distillation (https://arxiv.org/abs/1904.05068).

    Args:
        student: ``(N, ...)``; each sample is one vector.
        teacher: ``(N, ...)``; its size per sample may differ.
        chunk_elements: Bound on the numbers held at a time; vertices beyond it are computed in chunks, which are
            computed once more in the backward pass. The value does not depend on it.

    Returns:
        The Huber loss of the cosines at all vertices, averaged over ``N**3`` including coinciding ones; a scalar.
    """
    student, teacher = student.flatten(1), teacher.flatten(1)
    num_samples = len(student)
    per_vertex = num_samples * (student.shape[1] + teacher.shape[1] + 2 * num_samples)
    size = max(1, chunk_elements // per_vertex)
    if size >= num_samples:
        return _angle_errors(student, teacher, 0, num_samples) / num_samples**3
    total = student.new_zeros(())
    for start in range(0, num_samples, size):
        stop = min(start + size, num_samples)
        total = total + checkpoint(_angle_errors, student, teacher, start, stop, use_reentrant=False)
    return total / num_samples**3
