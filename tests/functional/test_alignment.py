import itertools
import math

import pytest
import torch

from mmkd_video.functional import cka_from_hsic, unbiased_hsic


def rows(number: int, width: int, seed: int) -> torch.Tensor:
    return torch.randn(number, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def hsic(first: torch.Tensor, second: torch.Tensor) -> float:
    return unbiased_hsic(first @ first.T, second @ second.T).item()


def test_two_groups_of_two_have_the_value_of_the_formula():
    ours = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]], dtype=torch.float64)
    # Off the diagonal: products 1 within a group, -1 between them. tr(KL) = 4 * 1 + 8 * 1 = 12; each row sums to -1,
    # so the sum of all is -4; 12 + 16 / 6 - 4 * 2 / 2 = 32 / 3; over 4 * 1.
    assert hsic(ours, ours) == pytest.approx(32 / 3 / 4)
    apart = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]], dtype=torch.float64)
    # K * L: 1 * -1 for pairs within a group of one of the two, (-1)(-1) for the diagonals: -8 + 4 = -4.
    assert hsic(ours, apart) == pytest.approx((-4 + 16 / 6 - 4) / 4)


def test_the_mean_over_all_batches_of_four_is_the_value_of_all_samples():
    first, second = rows(7, 3, 0), rows(7, 5, 1)
    second[:, :3] += first
    batches = [list(each) for each in itertools.combinations(range(7), 4)]
    mean = sum(hsic(first[batch], second[batch]) for batch in batches) / len(batches)
    assert mean == pytest.approx(hsic(first, second), rel=1e-9)


def test_a_shift_of_the_features_changes_nothing():
    first, second = rows(6, 3, 0), rows(6, 4, 1)
    assert hsic(first + 100, second - 7) == pytest.approx(hsic(first, second), rel=1e-6)


def test_alignment_is_the_cosine_of_the_two():
    cross, first, second = torch.tensor([3.0, 1.0, 1.0]), torch.tensor([4.0, 0.0, -0.1]), torch.tensor([9.0, 1.0, 1.0])
    assert cka_from_hsic(cross, first, second).tolist() == [0.5, 0.0, 0.0]
    assert not math.isnan(cka_from_hsic(cross, first, second).sum())
