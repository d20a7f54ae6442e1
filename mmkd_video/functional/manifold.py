"""The manifold on which the clips of a batch lie, and how well the student keeps it.

All functions take the joined clips as rows and measure both sides from their mean and in units of their own size, so
that a student which shrinks to a point gains nothing. Rows that differ by rounding alone count as one point: they are
given the value of clips without any relation, without a gradient.
"""

import torch
from torch import Tensor

from mmkd_video.functional.normalize import LEAST_SPREAD, divide
from mmkd_video.functional.relations import pairwise_distances

__all__ = [
    'geodesic_distances',
    'isomap',
    'laplacian',
    'ltsa',
    'lle',
    'mds',
    'nearest_neighbours',
    'reconstruction_weights',
]

ROUNDING = 16  # units in the last place


def _zero_loss(student: Tensor) -> Tensor:
    return student.sum() * 0


def _rounding(feature: Tensor) -> Tensor:
    """Return how far rows ``(N, C)`` may be off by rounding."""
    return ROUNDING * torch.finfo(feature.dtype).eps * feature.detach().abs().amax()


def _in_own_units(feature: Tensor) -> Tensor:
    """Return rows ``(N, C)`` from their mean, the largest component being 1; all zero where they are one point.

    The losses know no scale, so that the size may be a constant for the gradient. Rows that lie closer together than
    1e-3, or than a thousandth of the largest component, have the gradient of rows of that distance.
    """
    centred = feature - feature.mean(0)
    size, length = centred.detach().abs().amax(), feature.detach().abs().amax()
    differ = size > _rounding(feature)
    return torch.where(differ, divide(centred, torch.where(differ, size, 1), LEAST_SPREAD * length.clamp_min(1)), 0)


def _relative(value: Tensor, unit: Tensor, of_a_point: float | Tensor) -> Tensor:
    """Return ``value / unit``, or what a single point is given, where ``unit`` is 0."""
    return torch.where(unit > 0, value / torch.where(unit > 0, unit, 1), of_a_point)


def _spread(student: Tensor) -> Tensor:
    """Return the mean squared length of centred rows."""
    return student.square().sum(1).mean()


def nearest_neighbours(feature: Tensor, k: int) -> Tensor:
    """Return the indices ``(N, k)`` of each row's nearest others, nearest first; fewer if N - 1 is below k.

    Args:
        feature: ``(N, C)``.
        k: Number of neighbours, at least 1.
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


def lle(student: Tensor, teacher: Tensor, k: int) -> Tensor:
    """LLE (Roweis and Saul, Science 2000): the weights that rebuild a clip from its neighbours hold for the student.

    Args:
        student: ``(N, Cs)``.
        teacher: ``(N, Ct)``; its neighbours and weights are used.
        k: Number of neighbours.

    Returns:
        The mean squared error of the student's rebuilt rows in units of its spread; a scalar, zero below three rows.
        A single point gives ``(1 + mean sum_j w_ij**2) * N / (N - 1)``, as rows without any relation do on average.
    """
    if len(student) < 3:
        return _zero_loss(student)
    student, teacher = _in_own_units(student), _in_own_units(teacher)
    neighbours = nearest_neighbours(teacher, k)
    weights = reconstruction_weights(teacher, neighbours)
    rebuilt = torch.einsum('nk,nkc->nc', weights, student[neighbours])
    unrelated = (1 + weights.square().sum(1).mean()) * len(student) / (len(student) - 1)
    return _relative((student - rebuilt).square().sum(1).mean(), _spread(student), unrelated)


def laplacian(student: Tensor, teacher: Tensor, k: int) -> Tensor:
    """Laplacian eigenmaps (Belkin and Niyogi, Neural Computation 2003): clips near for the teacher stay near.

    Args:
        student: ``(N, Cs)``.
        teacher: ``(N, Ct)``; its symmetric graph of neighbours carries the heat kernel, as wide as their mean squared
            distance.
        k: Number of neighbours.

    Returns:
        The weighted mean squared distance of neighbours in units of that of all pairs; a scalar, zero below three rows.
        Equal sides are not zero: 1 means that neighbours are no nearer than others, and is the value of a single point.
    """
    if len(student) < 3:
        return _zero_loss(student)
    student, teacher = _in_own_units(student), _in_own_units(teacher)
    neighbours = nearest_neighbours(teacher, k)
    squares = (teacher[neighbours] - teacher.unsqueeze(1)).square().sum(2)
    width = squares.mean()
    weights = torch.exp(-squares / torch.where(width > 0, width, 1))
    graph = torch.zeros(len(teacher), len(teacher), dtype=teacher.dtype, device=teacher.device)
    graph = graph.scatter(1, neighbours, weights)
    graph = torch.maximum(graph, graph.T)
    distances = pairwise_distances(student).square()
    all_pairs = 2 * _spread(student) * len(student) / (len(student) - 1)
    return _relative((graph * distances).sum() / graph.sum(), all_pairs, 1.0)


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
    """Return the squared error of distances over the finite off-diagonal pairs, each side scaled to mean 1.

    Distances that are all 0 stay 0.
    """
    known = target.isfinite() & ~torch.eye(len(target), dtype=torch.bool, device=target.device)
    count = known.sum()
    ours = torch.where(known, pairwise_distances(student), 0)
    theirs = torch.where(known, target, 0)
    ours, theirs = (_relative(side, side.sum() / count, 0.0) for side in (ours, theirs))
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
    if len(student) < 3:
        return _zero_loss(student)
    return _stress(_in_own_units(student), geodesic_distances(_in_own_units(teacher), k))


def mds(student: Tensor, teacher: Tensor) -> Tensor:
    """MDS (Kruskal, Psychometrika 1964): the student's distances are the teacher's, up to scale.

    Args:
        student: ``(N, Cs)``.
        teacher: ``(N, Ct)``.

    Returns:
        The mean squared difference of the distances in units of their mean; a scalar, zero below three rows.
    """
    if len(student) < 3:
        return _zero_loss(student)
    return _stress(_in_own_units(student), pairwise_distances(_in_own_units(teacher)))


def _share_of_directions(values: Tensor, dim: int, rounding: Tensor) -> Tensor:
    """Return how much ``(N, R)`` of each direction belongs to the ``dim`` leading ones.

    Args:
        values: Singular values ``(N, R)``, largest first. Those that equal the last of the leading ones share its
            place, so that nothing depends on the order of the rows.
        dim: Number of directions, at most R.
        rounding: Value below which there is no direction.
    """
    last = values[:, dim - 1 : dim]
    above, tied = values > last + rounding, (values - last).abs() <= rounding
    places = dim - above.sum(1, keepdim=True)
    share = torch.where(above, 1.0, tied * places / tied.sum(1, keepdim=True))
    return torch.where(values > rounding, share, 0).to(values.dtype)


def ltsa(student: Tensor, teacher: Tensor, k: int, dim: int) -> Tensor:
    """LTSA (Zhang and Zha, SIAM 2004): around each clip the student is an affine image of the teacher's tangent space.

    Args:
        student: ``(N, Cs)``.
        teacher: ``(N, Ct)``; ``dim`` leading directions of each neighbourhood are its tangent coordinates, fewer where
            it has fewer.
        k: Number of neighbours; a neighbourhood holds the clip too.
        dim: Dimension of the tangent space, below k: else every student fits.

    Returns:
        The part of the student's local variance that is no affine function of the coordinates, in [0, 1]; a scalar,
        zero where the neighbourhoods hold at most ``dim + 1`` clips. A single point gives 1.
    """
    if min(k, len(student) - 1) <= dim:
        return _zero_loss(student)
    own = torch.arange(len(teacher), device=teacher.device).unsqueeze(1)
    patches = torch.cat([own, nearest_neighbours(teacher, k)], dim=1)
    local = teacher[patches]
    rounding = _rounding(teacher)
    directions, values, _ = torch.linalg.svd(local - local.mean(1, keepdim=True), full_matrices=False)
    share = _share_of_directions(values, min(dim, values.shape[1]), rounding)
    ours = _in_own_units(student)[patches]
    ours = ours - ours.mean(1, keepdim=True)
    residual = ours - directions * share.unsqueeze(1) @ (directions.transpose(1, 2) @ ours)
    return _relative((residual * ours).sum(), ours.square().sum(), 1.0)
