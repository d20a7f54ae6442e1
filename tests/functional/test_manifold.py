from collections.abc import Callable

import numpy as np
import pytest
import torch

from mmkd_video.functional import (
    geodesic_distances,
    isomap,
    laplacian,
    lle,
    ltsa,
    mds,
    nearest_neighbours,
    reconstruction_weights,
)


def rows(num_samples: int = 20, channels: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randn(num_samples, channels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def arc(num_samples: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the positions ``(N, 1)`` along three quarters of a circle, and the points ``(N, 2)`` on it."""
    angle = torch.linspace(0, 1.5 * np.pi, num_samples, dtype=torch.float64).unsqueeze(1)
    return angle, torch.cat([angle.cos(), angle.sin()], dim=1)


def rotation(size: int) -> torch.Tensor:
    return torch.linalg.qr(rows(size, size, seed=5))[0]


def test_neighbours_are_those_of_scikit_learn() -> None:
    neighbors = pytest.importorskip('sklearn.neighbors')
    feature = rows()
    expected = neighbors.NearestNeighbors(n_neighbors=4).fit(feature.numpy()).kneighbors(return_distance=False)
    assert (nearest_neighbours(feature, 4).numpy() == expected).all()


def test_reconstruction_weights_are_those_of_scikit_learn() -> None:
    manifold = pytest.importorskip('sklearn.manifold._locally_linear')
    feature = rows()
    neighbours = nearest_neighbours(feature, 6)
    expected = manifold.barycenter_weights(feature.numpy(), feature.numpy(), neighbours.numpy(), reg=1e-3)
    assert torch.allclose(reconstruction_weights(feature, neighbours), torch.from_numpy(expected))


def test_geodesic_distances_are_those_of_scikit_learn() -> None:
    manifold = pytest.importorskip('sklearn.manifold')
    points = rows(30, 3)
    expected = manifold.Isomap(n_neighbors=6, n_components=1).fit(points.numpy()).dist_matrix_
    assert torch.allclose(geodesic_distances(points, 6), torch.from_numpy(expected))


def test_laplacian_is_the_quadratic_form_of_scikit_learns_graph() -> None:
    neighbors = pytest.importorskip('sklearn.neighbors')
    manifold, metrics = pytest.importorskip('sklearn.manifold'), pytest.importorskip('sklearn.metrics')
    csgraph = pytest.importorskip('scipy.sparse.csgraph')
    student, teacher = rows(seed=1), rows(channels=6, seed=2)
    graph = neighbors.kneighbors_graph(teacher.numpy(), 4, mode='distance').toarray()
    linked = graph > 0
    weights = np.where(linked, np.exp(-(graph**2) / (graph[linked] ** 2).mean()), 0)
    weights = np.maximum(weights, weights.T)
    matrix = csgraph.laplacian(weights)

    def expected(points: np.ndarray) -> float:
        squares = metrics.pairwise_distances(points) ** 2
        all_pairs = squares.sum() / (len(points) * (len(points) - 1))
        return 2 * np.trace(points.T @ matrix @ points) / weights.sum() / all_pairs

    assert laplacian(student, teacher, 4).item() == pytest.approx(expected(student.numpy()))
    best = manifold.spectral_embedding(weights, n_components=2, norm_laplacian=False, random_state=0)
    best = torch.from_numpy(best).double()
    least = laplacian(best, teacher, 4).item()
    assert all(least < laplacian(rows(20, 2, seed), teacher, 4).item() for seed in range(5))


def test_stress_is_that_of_scikit_learns_distances() -> None:
    metrics = pytest.importorskip('sklearn.metrics')
    student, teacher = rows(seed=1), rows(channels=6, seed=2)
    off_diagonal = ~np.eye(20, dtype=bool)
    ours, theirs = (metrics.pairwise_distances(side.numpy())[off_diagonal] for side in (student, teacher))
    expected = ((ours / ours.mean() - theirs / theirs.mean()) ** 2).mean()
    assert mds(student, teacher).item() == pytest.approx(expected)


def test_embedding_of_scikit_learn_has_little_tangent_error() -> None:
    manifold = pytest.importorskip('sklearn.manifold')
    _, points = arc()
    model = manifold.LocallyLinearEmbedding(n_neighbors=4, n_components=1, method='ltsa', eigen_solver='dense')
    embedding = torch.from_numpy(model.fit_transform(points.numpy()))
    shuffled = embedding[torch.randperm(len(embedding))]
    assert ltsa(embedding, points, 4, 1) < 1e-3 < ltsa(shuffled, points, 4, 1)


def test_unrolled_arc_keeps_its_manifold_and_loses_its_distances() -> None:
    """The positions along a curve are its intrinsic coordinates: right for Isomap, wrong for plain distances."""
    angle, points = arc()
    assert isomap(angle, points, 2).item() < 1e-4
    assert mds(angle, points).item() > 0.01
    assert isomap(points, points, 2).item() > 0.01
    assert ltsa(angle, points, 4, 1).item() < 1e-4
    assert lle(angle, points, 2).item() < 1e-3


@pytest.mark.parametrize('scale', [0.01, 100.0])
def test_similarity_transforms_of_the_teacher_lose_nothing(scale: float) -> None:
    teacher = rows()
    student = scale * teacher @ rotation(4) + 7
    assert mds(student, teacher).item() < 1e-9
    assert lle(student, teacher, 6).item() == pytest.approx(lle(teacher, teacher, 6).item())
    assert ltsa(student, teacher, 6, 4).item() < 1e-9


def test_shrinking_to_a_point_gains_nothing() -> None:
    student, teacher = rows(), rows(seed=1)
    for loss in (lle, laplacian, isomap):
        assert loss(1e-3 * student, teacher, 4).item() == pytest.approx(loss(student, teacher, 4).item(), rel=1e-4)


def test_laplacian_counts_neighbours_only() -> None:
    """Two far groups: the student that keeps them apart pays nothing within them."""
    teacher = torch.tensor([[0.0], [0.1], [9.0], [9.1]])
    apart, mixed = torch.tensor([[0.0], [0.0], [1.0], [1.0]]), torch.tensor([[0.0], [1.0], [0.0], [1.0]])
    assert laplacian(apart, teacher, 1).item() == 0
    assert laplacian(mixed, teacher, 1).item() == pytest.approx(1.5)


def test_separate_pieces_of_the_graph_are_left_out() -> None:
    teacher = torch.tensor([[0.0], [1.0], [100.0], [101.0]])
    assert geodesic_distances(teacher, 1)[0, 2] == torch.inf
    assert isomap(torch.tensor([[0.0], [1.0], [5.0], [6.0]]), teacher, 1).item() == pytest.approx(0, abs=1e-12)


def test_clips_that_coincide_stay_finite() -> None:
    teacher = torch.ones(5, 3)
    for loss in (lle, laplacian, isomap):
        student = rows(5, 3).float().requires_grad_()
        loss(student, teacher, 2).backward()
        assert student.grad.isfinite().all()


LOSSES = {
    'LLE': lambda student, teacher: lle(student, teacher, 4),
    'Laplacian': lambda student, teacher: laplacian(student, teacher, 4),
    'Isomap': lambda student, teacher: isomap(student, teacher, 4),
    'MDS': mds,
    'LTSA': lambda student, teacher: ltsa(student, teacher, 4, 2),
}
every_loss = pytest.mark.parametrize('loss', LOSSES.values(), ids=LOSSES)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('size', [1e-3, 1e-8, 1e-20, 1e10])
@every_loss
def test_shrinking_or_growing_gains_nothing_at_any_size(loss: Callable, size: float, dtype: torch.dtype) -> None:
    student, teacher = rows().to(dtype), rows(seed=1).to(dtype)
    expected = pytest.approx(loss(student, teacher).item(), rel=1e-3)
    assert loss(size * student, teacher).item() == expected
    assert loss(student, size * teacher).item() == expected


@pytest.mark.parametrize('at', [0.0, 3.7])
@every_loss
def test_a_single_point_is_no_better_than_clips_without_relation(loss: Callable, at: float) -> None:
    teacher = rows(30, 3).float()
    unrelated = sum(loss(rows(30, 3, seed).float(), teacher).item() for seed in range(2, 32)) / 30
    student = torch.full((30, 3), at, requires_grad=True)
    value = loss(student + at * 1e-7 * rows(30, 3).float(), teacher)
    value.backward()
    assert value.item() > 0.9 * unrelated
    assert student.grad.abs().sum() == 0


@pytest.mark.parametrize('rank', [1, 2], ids=['on a line', 'on a plane'])
def test_tangents_of_a_flat_teacher_do_not_depend_on_the_order_of_the_clips(rank: int) -> None:
    teacher = rows(12, rank) @ rows(rank, 5, seed=3)
    student = rows(12, 4, seed=1)
    expected = ltsa(student, teacher, 6, 3).item()
    for seed in range(5):
        order = torch.randperm(12, generator=torch.Generator().manual_seed(seed))
        assert ltsa(student[order], teacher[order], 6, 3).item() == pytest.approx(expected, rel=1e-9)
    assert expected == pytest.approx(ltsa(student, teacher, 6, rank).item(), rel=1e-9)
    assert expected == pytest.approx(ltsa(student, 1e-6 * teacher + 1, 6, 3).item(), rel=1e-4)


def test_tangents_that_are_as_long_share_the_place() -> None:
    """A neighbourhood that is a regular simplex has no leading direction."""
    teacher = torch.cat([torch.eye(5), 20 + torch.eye(5)]).double()
    student = rows(10, 4, seed=1)
    expected = ltsa(student, teacher, 4, 2).item()
    assert expected == pytest.approx(0.5)  # 2 of the 4 directions, whichever they are
    order = torch.tensor([3, 8, 0, 6, 1, 9, 5, 2, 7, 4])
    assert ltsa(student[order], teacher[order], 4, 2).item() == pytest.approx(expected, rel=1e-9)
