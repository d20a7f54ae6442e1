"""Closed forms of how scores of several models become one distribution, and of weights for them."""

import pytest
import torch

from mmkd_video.functional import (
    kd,
    label_cross_entropy,
    min_norm_weights,
    mix_logits,
    mix_probabilities,
    prediction_entropy,
)


def scores(members=3, clips=4, classes=5, seed=0):
    return 3 * torch.randn(members, clips, classes, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def test_the_softened_mixture_is_the_mean_of_the_softened_distributions():
    found, weights = scores(), torch.tensor([0.5, 0.3, 0.2], dtype=torch.double)[:, None]
    expected = (weights[..., None] * (found / 4).softmax(dim=-1)).sum(dim=0)
    assert torch.allclose((mix_probabilities(found, weights, 4.0) / 4).softmax(dim=-1), expected)


def test_kd_to_the_mixture_has_the_gradient_of_the_weighted_losses():
    found, weights = scores(), torch.tensor([0.5, 0.3, 0.2], dtype=torch.double)
    student = scores(1)[0].requires_grad_()
    apart = sum(weight * kd(student, each, 4.0) for weight, each in zip(weights, found, strict=True))
    together = kd(student, mix_probabilities(found, weights[:, None], 4.0), 4.0)
    first, second = (torch.autograd.grad(loss, student)[0] for loss in (apart, together))
    assert torch.allclose(first, second) and not torch.allclose(apart, together)


def test_a_member_without_weight_does_not_count():
    found = scores()
    weights = torch.tensor([0.0, 1.0, 0.0], dtype=torch.double)[:, None]
    assert torch.allclose(mix_probabilities(found, weights, 2.0).softmax(-1), found[1].softmax(-1))
    assert mix_probabilities(1e4 * found, weights, 2.0).isfinite().all()


def test_disjoint_classes_are_joined_and_shared_ones_averaged():
    first = torch.tensor([[[1.0, 3.0, 9.0, 9.0]], [[9.0, 9.0, 0.0, 4.0]]])
    weights = torch.full((2, 1), 0.5)
    apart = torch.tensor([[True, True, False, False], [False, False, True, True]])
    assert mix_logits(first, weights, apart).tolist() == [[-1.0, 1.0, -2.0, 2.0]]
    shared = torch.tensor([[True, True, False, False], [False, True, True, True]])
    # 9, 0 and 4 minus their mean are 14/3, -13/3 and -1/3; class 1 is the mean of 1 and 14/3
    expected = torch.tensor([[-1.0, (1 + 14 / 3) / 2, -13 / 3, -1 / 3]])
    assert torch.allclose(mix_logits(first, weights, shared), expected)


def test_cross_entropy_and_entropy_are_those_of_single_predictions():
    found, targets = scores(), torch.eye(5, dtype=torch.double)[[0, 2, 2, 4]]
    for member in range(3):
        own = torch.nn.functional.cross_entropy(found[member], torch.tensor([0, 2, 2, 4]), reduction='none')
        assert torch.allclose(label_cross_entropy(found, targets)[member], own)
        entropy = torch.distributions.Categorical(logits=found[member]).entropy()
        assert torch.allclose(prediction_entropy(found)[member], entropy)


def test_two_gradients_at_right_angles():
    gradients = torch.tensor([[1.0, 0.0], [0.0, 2.0]])  # w^2 + 4 (1 - w)^2 is least at 4/5
    assert torch.allclose(min_norm_weights(gradients), torch.tensor([0.8, 0.2]))
    assert torch.allclose(min_norm_weights(gradients, 0.6), torch.tensor([0.6, 0.4]))


def test_equal_gradients_leave_the_weights_equal():
    assert torch.allclose(min_norm_weights(torch.ones(3, 4)), torch.full((3,), 1 / 3))
    assert torch.allclose(min_norm_weights(torch.zeros(3, 4)), torch.full((3,), 1 / 3))


@pytest.mark.parametrize('most', [0.4, 0.6, 1.0])
def test_no_weights_on_a_grid_are_better(most):
    first, second = torch.meshgrid(*[torch.linspace(0, most, 101, dtype=torch.double)] * 2, indexing='ij')
    grid = torch.stack([first, second, 1 - first - second], dim=-1).flatten(0, 1)
    grid = grid[(grid[:, 2] >= 0) & (grid[:, 2] <= most)]
    for seed in range(5):
        gradients = scores(3, 1, 4, seed)[:, 0]
        found = min_norm_weights(gradients, most)
        assert found.sum() == pytest.approx(1) and found.min() >= 0 and found.max() <= most + 1e-9
        assert (found @ gradients).norm() <= (grid @ gradients).norm(dim=1).min() + 1e-9
