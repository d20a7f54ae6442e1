"""The manifold on which the clips of a batch lie, and how well the student keeps it.

All functions take the joined clips as rows and measure the student in units of its own spread, so that a student which
shrinks to a point gains nothing.
"""

import torch
from torch import Tensor

from mmkd_video.functional.relations import pairwise_distances

__all__ = [
    'geodesic_distances',
    'isomap',
    'laplacian_eigenmap',
    'local_tangent_space',
    'locally_linear',
    'multidimensional_scaling',
    'nearest_neighbours',
    'reconstruction_weights',
]

EPS = 1e-12


def _nothing(student: Tensor) -> Tensor:
    return student.sum() * 0


def _spread(student: Tensor) -> Tensor:
    """Return the mean squared distance to the mean, never 0."""
    return (student - student.mean(0)).square().sum(1).mean() + EPS


def nearest_neighbours(feature: Tensor, k: int) -> Tensor:
    """Return the indices ``(N, k)`` of each row's nearest others, nearest first; fewer if N - 1 is below k.

    Args:
        feature: ``(N, C)``.
        k: At least 1.
    """
    distances = pairwise_distances(feature).fill_diagonal_(torch.inf)
    return distances.topk(min(k, len(feature) - 1), dim=1, largest=False).indices


def reconstruction_weights(feature: Tensor, neighbours: Tensor, regularisation: float = 1e-3) -> Tensor:
    """Return the weights ``(N, k)``, each row of sum 1, that best rebuild every row from its neighbours.

    Args:
        feature: ``(N, C)``.
        neighbours: ``(N, k)`` indices.
        regularisation: Share of the trace of the local Gram matrix that is added to its diagonal.
    """
    offsets = feature[neighbours] - feature.unsqueeze(1)
    gram = offsets @ offsets.transpose(1, 2)
    trace = gram.diagonal(dim1=1, dim2=2).sum(1)
    ridge = regularisation * torch.where(trace > 0, trace, 1)
    gram = gram + ridge[:, None, None] * torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device)
    weights = torch.linalg.solve(gram, torch.ones_like(gram[..., 0]))
    return weights / weights.sum(1, keepdim=True)


def locally_linear(student: Tensor, teacher: Tensor, k: int) -> Tensor:
    """LLE (Roweis and Saul, Science 2000): the weights that rebuild a clip from its neighbours hold for the student.

    Args:
        student: ``(N, Cs)``.
        teacher: ``(N, Ct)``; its neighbours and weights are used.
        k: Number of neighbours.

    Returns:
        The mean squared error of the student's rebuilt rows in units of its spread; a scalar, zero below three rows.
    """
    if len(student) < 3:
        return _nothing(student)
    neighbours = nearest_neighbours(teacher, k)
    weights = reconstruction_weights(teacher, neighbours)
    rebuilt = torch.einsum('nk,nkc->nc', weights, student[neighbours])
    return (student - rebuilt).square().sum(1).mean() / _spread(student)


def laplacian_eigenmap(student: Tensor, teacher: Tensor, k: int) -> Tensor:
    """Laplacian eigenmaps (Belkin and Niyogi, Neural Computation 2003): clips near for the teacher stay near.

    Args:
        student: ``(N, Cs)``.
        teacher: ``(N, Ct)``; its symmetric graph of neighbours carries the heat kernel, as wide as their mean squared
            distance.
        k: Number of neighbours.

    Returns:
        The weighted mean squared distance of neighbours in units of that of all pairs; a scalar, zero below three rows.
        Equal sides are not zero: 1 means that neighbours are no nearer than others.
    """
    if len(student) < 3:
        return _nothing(student)
    neighbours = nearest_neighbours(teacher, k)
    squares = (teacher[neighbours] - teacher.unsqueeze(1)).square().sum(2)
    width = squares.mean()
    weights = torch.exp(-squares / torch.where(width > 0, width, 1))
    graph = torch.zeros(len(teacher), len(teacher), dtype=teacher.dtype, device=teacher.device)
    graph = graph.scatter(1, neighbours, weights)
    graph = torch.maximum(graph, graph.T)
    distances = pairwise_distances(student).square()
    all_pairs = 2 * _spread(student) * len(student) / (len(student) - 1)
    return (graph * distances).sum() / graph.sum() / all_pairs


def geodesic_distances(feature: Tensor, k: int) -> Tensor:
    """Return the lengths ``(N, N)`` of the shortest paths over the symmetric graph of neighbours.

    Args:
        feature: ``(N, C)``.
        k: Number of neighbours; rows in separate pieces of the graph are infinitely far.
    """
    distances = pairwise_distances(feature)
    neighbours = nearest_neighbours(feature, k)
    paths = torch.full_like(distances, torch.inf).scatter(1, neighbours, distances.gather(1, neighbours))
    paths = torch.minimum(paths, paths.T).fill_diagonal_(0)
    for via in range(len(feature)):
        paths = torch.minimum(paths, paths[:, via : via + 1] + paths[via : via + 1])
    return paths


def _stress(student: Tensor, target: Tensor) -> Tensor:
    """Return the squared error of distances over the finite off-diagonal pairs, each side scaled to mean 1."""
    known = target.isfinite() & ~torch.eye(len(target), dtype=torch.bool, device=target.device)
    count = known.sum()
    ours = torch.where(known, pairwise_distances(student), 0)
    theirs = torch.where(known, target, 0)
    ours, theirs = (side / (side.sum() / count).clamp_min(EPS) for side in (ours, theirs))
    return (ours - theirs).square().sum() / count


def isomap(student: Tensor, teacher: Tensor, k: int) -> Tensor:
    """Isomap (Tenenbaum et al., Science 2000): the student's distances are the teacher's along its manifold.

    Args:
        student: ``(N, Cs)``; its straight distances count.
        teacher: ``(N, Ct)``; see :func:`geodesic_distances`. Pairs without a path are left out.
        k: Number of neighbours.

    Returns:
        The mean squared difference of the distances in units of their mean; a scalar, zero below three rows.
    """
    return _stress(student, geodesic_distances(teacher, k)) if len(student) > 2 else _nothing(student)


def multidimensional_scaling(student: Tensor, teacher: Tensor) -> Tensor:
    """MDS (Kruskal, Psychometrika 1964): the student's distances are the teacher's, up to scale.

    Args:
        student: ``(N, Cs)``.
        teacher: ``(N, Ct)``.

    Returns:
        The mean squared difference of the distances in units of their mean; a scalar, zero below three rows.
    """
    return _stress(student, pairwise_distances(teacher)) if len(student) > 2 else _nothing(student)


def local_tangent_space(student: Tensor, teacher: Tensor, k: int, dim: int) -> Tensor:
    """LTSA (Zhang and Zha, SIAM 2004): around each clip the student is an affine image of the teacher's tangent space.

    Args:
        student: ``(N, Cs)``.
        teacher: ``(N, Ct)``; ``dim`` leading directions of each neighbourhood are its tangent coordinates.
        k: Number of neighbours; a neighbourhood holds the clip too.
        dim: Below k, else every student fits.

    Returns:
        The part of the student's local variance that is no affine function of the coordinates, in [0, 1]; a scalar,
        zero where the neighbourhoods hold at most ``dim + 1`` clips.
    """
    if min(k, len(student) - 1) <= dim:
        return _nothing(student)
    own = torch.arange(len(teacher), device=teacher.device).unsqueeze(1)
    patches = torch.cat([own, nearest_neighbours(teacher, k)], dim=1)
    local = teacher[patches]
    coordinates = torch.linalg.svd(local - local.mean(1, keepdim=True), full_matrices=False)[0][..., :dim]
    ours = student[patches]
    ours = ours - ours.mean(1, keepdim=True)
    residual = ours - coordinates @ (coordinates.transpose(1, 2) @ ours)
    return residual.square().sum() / (ours.square().sum() + EPS)
