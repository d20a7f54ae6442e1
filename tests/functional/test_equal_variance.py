"""Every dimension has the same variance after the rotation, whatever the number of channels."""

import pytest
import torch

from mmkd_video.functional import equal_variance_rotation, hadamard


def covariance(size, rank=None):
    spread = torch.logspace(1, -4, size, dtype=torch.double)
    found = torch.randn(size, rank or size, generator=torch.Generator().manual_seed(size), dtype=torch.double)
    return (spread[:, None] * found) @ (spread[:, None] * found).T


@pytest.mark.parametrize('size', [1, 2, 4, 12, 20, 28, 36, 48, 64, 96, 320, 576])
def test_hadamard_matrices_have_orthogonal_rows_of_ones(size):
    found = hadamard(size)
    assert torch.equal(found.abs(), torch.ones_like(found))
    assert torch.equal(found @ found.T, size * torch.eye(size, dtype=torch.double))


def test_sizes_up_to_48_are_known_and_others_said_to_be_none():
    assert all(hadamard(size) is not None for size in range(4, 49, 4))
    assert all(hadamard(size) is None for size in (0, 3, 6, 10, 52))


@pytest.mark.parametrize('size', [1, 2, 3, 5, 6, 7, 10, 12, 17, 52, 64, 100, 320])
def test_every_dimension_has_the_same_variance(size):
    given = covariance(size)
    rotation, scale = equal_variance_rotation(given)
    variances = (rotation @ given @ rotation.T).diagonal()
    assert torch.allclose(variances, torch.full_like(variances, scale**2), rtol=1e-9)
    assert torch.allclose(rotation @ rotation.T, torch.eye(size, dtype=torch.double), atol=1e-9)
    assert scale**2 == pytest.approx(float(given.diagonal().mean()))


@pytest.mark.parametrize('size', [12, 7, 100])
def test_features_of_low_rank_too(size):
    given = covariance(size, rank=2)
    rotation, scale = equal_variance_rotation(given)
    variances = (rotation @ given @ rotation.T).diagonal()
    assert torch.allclose(variances, torch.full_like(variances, scale**2), rtol=1e-9)


@pytest.mark.parametrize('size', [7, 52])
def test_entries_in_the_eigenbasis_are_nearly_of_one_size_without_a_hadamard_matrix(size):
    given = torch.linspace(1, 2, size, dtype=torch.double).diag()
    rotation, _ = equal_variance_rotation(given)
    assert (rotation**2).max() < 3 / size
