import pytest
import torch

from mmkd_video.evaluation import MinibatchCKA, centred_gram, name_of_pair


def rows(number, width, seed):
    return torch.randn(number, width, generator=torch.Generator().manual_seed(seed))


def cka(student, teacher, size=16):
    alignment = MinibatchCKA(1)
    for ours, theirs in zip(student.split(size), teacher.split(size), strict=True):
        alignment.add(0, centred_gram(ours), centred_gram(theirs))
    return alignment.values()[0]


def test_equal_features_are_one_whatever_the_rotation_and_the_scale():
    features = rows(48, 12, 0)
    rotation, _ = torch.linalg.qr(rows(12, 12, 1))
    assert cka(features, features) == pytest.approx(1)
    assert cka(features, 3.7 * features @ rotation + 5) == pytest.approx(1, abs=1e-6)
    assert cka(features, features @ torch.diag(torch.linspace(0.05, 3, 12))) < 0.99  # no rotation


def test_independent_features_are_about_zero_and_half_of_the_same_lie_between():
    first, second = rows(4096, 6, 0), rows(4096, 9, 1)
    assert cka(first, second) == pytest.approx(0, abs=0.02)
    # half of the variance is shared: HSIC is the sum of squared covariances
    mixed = torch.cat([first, second[:, :6]], dim=1)
    assert cka(first, mixed) == pytest.approx(6 / (6 * 12) ** 0.5, abs=0.02)


def test_small_batches_estimate_what_large_ones_do():
    first, noise = rows(4096, 6, 0), rows(4096, 6, 1)
    second = first + noise
    assert cka(first, second, 8) == pytest.approx(cka(first, second, 512), abs=0.03)


def test_features_that_do_not_vary_are_like_nothing():
    assert cka(rows(16, 4, 0), torch.ones(16, 4)) == 0.0


def test_large_means_cost_no_digits():
    first, second = rows(64, 6, 0), rows(64, 6, 1)
    second += first
    assert cka(first + 1000, second + 1000) == pytest.approx(cka(first, second), abs=1e-4)


def test_pairs_are_kept_apart():
    features, others = rows(16, 5, 0), torch.ones(16, 5)
    alignment = MinibatchCKA(2)
    alignment.add(0, centred_gram(features), centred_gram(features))
    alignment.add(1, centred_gram(features), centred_gram(others))
    assert alignment.values() == pytest.approx([1.0, 0.0])


def test_names_in_reports():
    assert name_of_pair(('pooled', 'pooled')) == 'pooled'
    assert name_of_pair(('backbone.conv2', 'backbone.layer4')) == 'backbone.conv2-backbone.layer4'
