import math

import pytest
import torch

from mmkd_video.functional import binary_divergence, binary_kd


def test_divergence_of_two_coins_for_each_class() -> None:
    teacher, student = torch.tensor([[0.0, 0.0]]), torch.tensor([[math.log(1 / 3), 0.0]])  # 1/2 against 1/4
    expected = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    assert binary_divergence(student, teacher)[0].tolist() == pytest.approx([expected, 0.0])
    assert binary_kd(student, teacher).item() == pytest.approx(expected)


def test_a_sum_over_classes_and_a_mean_over_samples() -> None:
    teacher, student = torch.zeros(3, 4), torch.full((3, 4), math.log(1 / 3))
    student[1:] = 0.0
    one = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    assert binary_kd(student, teacher).item() == pytest.approx(4 * one / 3)


def test_it_is_the_binary_cross_entropy_less_the_entropy_of_the_teacher() -> None:
    student, teacher = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    entropy = torch.distributions.Bernoulli(logits=teacher / 2).entropy()
    cross = torch.nn.functional.binary_cross_entropy_with_logits(student / 2, (teacher / 2).sigmoid(), reduction='none')
    assert binary_kd(student, teacher, 2.0).item() == pytest.approx(4 * float((cross - entropy).sum(1).mean()))


def test_confident_networks_stay_exact() -> None:
    teacher = torch.tensor([[200.0, -200.0]])
    assert binary_kd(-teacher, teacher).item() == pytest.approx(400.0)
    assert binary_kd(teacher, teacher).item() == 0.0


def test_another_class_does_not_matter() -> None:
    student, teacher = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3)
    binary_kd(student, teacher).backward()
    assert torch.allclose(student.grad, (student.sigmoid() - teacher.sigmoid()).detach() / 4, atol=1e-6)
