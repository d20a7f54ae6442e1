import math

import pytest
import torch

from mmkd_video.functional import kd, kl_divergence, log_probabilities


def test_kl_divergence_of_two_coins() -> None:
    teacher, student = torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75])
    expected = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    assert kl_divergence(student.log(), teacher.log()).item() == pytest.approx(expected)


def test_confident_networks_stay_exact_at_low_temperature() -> None:
    """Opposite one-hot predictions: the divergence is the logit gap over the temperature."""
    teacher = torch.tensor([[60.0, -60.0]])
    loss = kd(-teacher, teacher, temperature=0.1)
    assert loss.item() == pytest.approx(120 / 0.1 * 0.1**2, rel=1e-6)


def test_log_probabilities_along_another_axis() -> None:
    logits = torch.randn(2, 3, 4)
    assert torch.allclose(log_probabilities(logits, 2.0, dim=1).exp().sum(1), torch.ones(2, 4))
