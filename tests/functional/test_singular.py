import pytest
import torch

from mmkd_video.functional import kdsvd, right_singular_vectors


def layers(seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2, channels, 3, 4, generator=generator, dtype=torch.float64) for channels in (4, 5, 3)]


def test_value_does_not_depend_on_the_sign_of_singular_vectors() -> None:
    """A feature times -1 has the same right singular vectors up to LAPACK's choice of sign."""
    student, teacher = layers(0), layers(1)
    flipped = [teacher[0], -teacher[1], teacher[2]]
    assert torch.allclose(kdsvd(student, flipped, 2), kdsvd(student, teacher, 2))


def test_gradient_equals_the_stock_one_where_that_exists() -> None:
    matrix = torch.randn(2, 6, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 4, dtype=torch.float64)

    def value(vectors: torch.Tensor) -> torch.Tensor:
        return (torch.einsum('ncr,ndr->ncd', vectors[..., :2], vectors[..., :2]) * weight).sum()

    ours = torch.autograd.grad(value(right_singular_vectors(matrix)[0]), matrix)[0]
    stock = torch.autograd.grad(value(torch.linalg.svd(matrix, full_matrices=False)[2].mT), matrix)[0]
    assert torch.allclose(ours, stock, atol=1e-10)


def test_dead_and_constant_maps_have_a_finite_gradient() -> None:
    student = [torch.zeros(1, 3, 2, 2, requires_grad=True), torch.ones(1, 4, 2, 2, requires_grad=True)]
    kdsvd(student, [torch.randn(1, 3, 2, 2), torch.randn(1, 4, 2, 2)], 1).backward()
    assert all(feature.grad.isfinite().all() for feature in student)


def test_layers_with_fewer_channels_than_vectors() -> None:
    student, teacher = [[torch.randn(2, channels, 3, 3) for channels in (1, 4)] for _ in range(2)]
    assert kdsvd(student, teacher, 3).isfinite()


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('shape', [(3, 32, 12), (3, 12, 32), (3, 6, 6)])
def test_vectors_and_values_are_those_of_a_singular_value_decomposition(shape: tuple, dtype: torch.dtype) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    _, values, vectors = torch.linalg.svd(matrix, full_matrices=False)
    found, sizes = right_singular_vectors(matrix.to(dtype))
    tolerance = 1e-9 if dtype == torch.float64 else 1e-4
    assert torch.allclose(sizes.double(), values, rtol=tolerance)
    turned = (found.double() * vectors.mT).sum(1)
    assert torch.allclose(turned.abs(), torch.ones_like(turned), atol=tolerance)


@pytest.mark.parametrize('size', [1e-8, 1e-20])
def test_small_maps_have_the_value_of_large_ones_and_a_finite_gradient(size: float) -> None:
    student, teacher = [[feature.float() for feature in layers(seed)] for seed in (0, 1)]
    expected = kdsvd(student, teacher, 2).item()
    student = [(size * feature).requires_grad_() for feature in student]
    value = kdsvd(student, teacher, 2)
    value.backward()
    assert value.item() == pytest.approx(expected, rel=1e-4)
    assert all(feature.grad.isfinite().all() for feature in student)
