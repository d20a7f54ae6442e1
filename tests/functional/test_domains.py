"""Distances between domains in closed form."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from mmkd_video.functional import coral, domain_entropy, entropy_weights, mmd, multilinear_map, reverse_gradient


def test_a_reversed_gradient_has_the_other_sign_and_the_strength():
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    y = reverse_gradient(x, 0.25)
    assert torch.equal(y, x)
    (y * torch.tensor([3.0, 5.0])).sum().backward()
    assert x.grad.tolist() == [-0.75, -1.25]


def test_mmd_of_equal_samples_is_zero_and_of_two_points_known():
    x = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert mmd(x, x.flip(0)).item() == pytest.approx(0.0, abs=1e-12)
    # two points: their only distance is the mean of all, so that each kernel is exp(-1 / factor)
    a, b = torch.zeros(1, 2), torch.tensor([[3.0, 4.0]])
    assert mmd(a, b, [0.5]).item() == pytest.approx(2 - 2 * math.exp(-2))
    assert mmd(a, b, [0.5, 1.0]).item() == pytest.approx(2 - math.exp(-2) - math.exp(-1))


def test_mmd_of_samples_worked_out_by_hand_and_its_gradient():
    s, t = torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [3.0]])
    # squared distances of pairs: 1, 1, 9, 0, 4, 4: their mean is 19 / 6
    k = lambda square: math.exp(-square * 6 / 19)  # noqa: E731
    expected = (2 + 2 * k(1)) / 4 + (2 + 2 * k(4)) / 4 - 2 * (k(1) + k(9) + 1 + k(4)) / 4
    assert mmd(s, t, [1.0]).item() == pytest.approx(expected, rel=1e-6)
    far = t.clone().requires_grad_()
    mmd(s, far, [1.0]).backward()
    assert far.grad[1].item() > 0  # nearer is better
    assert mmd(s, s.clone()).item() == mmd(torch.zeros(2, 3), torch.zeros(2, 3)).item() == 0.0


def test_coral_of_known_covariances():
    s = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)  # covariance diag(2, 0)
    t = torch.tensor([[5.0, 4.0], [5.0, 2.0]], dtype=torch.float64)  # diag(0, 2), whatever the mean
    assert coral(s, t).item() == pytest.approx((4 + 4) / 16)
    assert coral(s, s + 7).item() == pytest.approx(0.0)
    x = torch.randn(4, 3, dtype=torch.float64)
    reference = (torch.cov(x.T) - torch.cov((2 * x).T)).square().sum() / 36
    assert coral(x, 2 * x).item() == pytest.approx(reference.item())
    assert gradcheck(coral, (x.requires_grad_(), torch.randn(3, 3, dtype=torch.float64, requires_grad=True)))


def test_domains_count_the_same_whatever_their_share():
    target = torch.tensor([False, True, True, True])
    assert domain_entropy(torch.zeros(4), target).item() == pytest.approx(math.log(2))
    scores = torch.tensor([0.0, 50.0, 50.0, 50.0])
    assert domain_entropy(scores, target).item() == pytest.approx(math.log(2) / 2)
    weights = torch.tensor([1.0, 1.0, 3.0, 0.0])
    scores = torch.tensor([-50.0, 0.0, 50.0, -9.0])
    assert domain_entropy(scores, target, weights).item() == pytest.approx(math.log(2) / 8)


def test_the_multilinear_map_and_the_weights_of_cdan():
    features, probabilities = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.25, 0.75]])
    assert multilinear_map(features, probabilities).tolist() == [[0.25, 0.5, 0.75, 1.5]]
    found = entropy_weights(torch.tensor([[0.0, 0.0], [100.0, 0.0]]))
    assert found.tolist() == pytest.approx([1.5, 2.0])  # exp(-log 2), exp(-0)
