"""Chosen clips and corrected classifiers, against numbers worked out otherwise."""

import itertools

import pytest
import torch

from mmkd_video.functional import aligned_classifier, herding, nearest_mean_classifier


def normed(rows):
    return rows / rows.norm(dim=1, keepdim=True)


def test_herding_takes_what_brings_the_mean_nearest_each_time():
    """By hand: unit vectors at 0, 90, 40 and 52 degrees, one of them longer; their mean points to 45.6 degrees."""
    angles = torch.tensor([0.0, 90.0, 40.0, 52.0]).deg2rad()
    features = torch.stack([angles.cos(), angles.sin()], dim=1) * torch.tensor([[1.0], [1.0], [7.0], [1.0]])
    assert herding(features, 2) == [2, 3]
    assert herding(features, 9) == herding(features, 4) and sorted(herding(features, 4)) == [0, 1, 2, 3]


def test_each_step_of_herding_is_the_best_of_all_that_are_left():
    features = torch.randn(9, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    order, rows = herding(features, 6), normed(features)
    for number in range(6):
        taken = order[:number]
        left = [each for each in range(9) if each not in taken]
        gaps = [(rows[[*taken, each]].mean(dim=0) - rows.mean(dim=0)).norm() for each in left]
        assert order[number] == left[int(torch.stack(gaps).argmin())]


def test_herded_clips_stand_for_their_class_better_than_random_ones():
    features = normed(torch.randn(12, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64))

    def gap(chosen):
        return float((features[list(chosen)].mean(dim=0) - features.mean(dim=0)).norm())

    all_gaps = torch.tensor([gap(each) for each in itertools.combinations(range(12), 3)])
    assert (all_gaps < gap(herding(features, 3))).double().mean() < 0.1


def test_aligned_weights_have_one_mean_length_and_old_ones_are_untouched():
    weight, bias = torch.tensor([[3.0, 4.0], [0.0, 1.0], [6.0, 0.0], [0.0, 18.0]]), torch.tensor([1.0, 2.0, 4.0, 8.0])
    found, shift = aligned_classifier(weight, bias, known=2)
    assert torch.equal(found[:2], weight[:2]) and torch.equal(shift[:2], bias[:2])
    torch.testing.assert_close(found[2:], weight[2:] / 4)  # mean lengths 3 and 12
    torch.testing.assert_close(shift[2:], bias[2:] / 4)
    feature = torch.tensor([0.3, -2.0])
    scores, before = found @ feature + shift, weight @ feature + bias
    torch.testing.assert_close(scores[2:], before[2:] / 4)


@pytest.mark.parametrize('length', [1.0, 0.05, 40.0])
def test_the_nearest_mean_is_found_by_the_linear_classifier(length):
    """The rule of iCaRL, worked out with distances: of normalised features, to normalised means."""
    draw = torch.Generator().manual_seed(2)
    labels = torch.arange(30) % 3
    features = torch.randn(30, 5, generator=draw) + 2 * torch.eye(3, 5)[labels]
    weight, bias = nearest_mean_classifier(features, labels, length)
    means = normed(torch.stack([normed(features)[labels == label].mean(dim=0) for label in range(3)]))
    probes = 5 * torch.randn(200, 5, generator=draw)
    nearest = torch.cdist(normed(probes), means).argmin(dim=1)
    assert torch.equal((probes @ weight.T + bias).argmax(dim=1), nearest)
    assert weight.norm(dim=1).tolist() == pytest.approx([length] * 3) and not bias.any()
