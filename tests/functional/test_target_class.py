import pytest
import torch
import torch.nn.functional as F

from mmkd_video.functional import dkd, kd, nkd, wsld

TARGET = torch.tensor([0, 3, 2])


def logits(seed: int) -> torch.Tensor:
    return torch.randn(3, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_dkd_with_the_teachers_own_weight_is_kd() -> None:
    """KL splits into the target's part and, weighted by 1 - p_target, that of the others."""
    student, teacher = logits(0), logits(1)
    total = 0
    for row in range(3):
        sides = student[row : row + 1], teacher[row : row + 1]
        target = TARGET[row : row + 1]
        rest = 1 - (sides[1] / 2).softmax(1)[0, target[0]]
        total = total + dkd(*sides, target, 2.0, 1.0, rest)
    assert torch.allclose(total / 3, kd(student, teacher, 2.0))


def test_dkd_of_two_classes_has_no_other_classes() -> None:
    student, teacher = logits(0)[:, :2], logits(1)[:, :2]
    target = torch.tensor([0, 1, 1])
    assert torch.equal(dkd(student, teacher, target, 1.0, 0.0, 8.0), torch.zeros((), dtype=torch.float64))
    assert torch.allclose(dkd(student, teacher, target, 1.0, 1.0, 8.0), kd(student, teacher, 1.0))


@pytest.mark.parametrize('temperature', [0.1, 1.0])
def test_dkd_is_finite_in_float32_where_the_authors_code_is_not(temperature: float) -> None:
    teacher = torch.tensor([[60.0, -60.0, 0.0]])
    student = (-teacher).requires_grad_()
    value = dkd(student, teacher, torch.tensor([0]), temperature, 1.0, 8.0)
    value.backward()
    assert value.isfinite() and student.grad.isfinite().all()


def test_temperature_of_nkd_leaves_the_target_alone() -> None:
    student, teacher = logits(0), logits(1)
    only_target = nkd(student, teacher, TARGET, 7.0, 0.0)
    rows = torch.arange(3)
    expected = -(teacher.softmax(1)[rows, TARGET] * student.log_softmax(1)[rows, TARGET]).mean()
    assert torch.allclose(only_target, expected)


def test_wsld_weight_is_constant_for_the_gradient() -> None:
    student, teacher = logits(0).requires_grad_(), logits(1)
    ratio = F.cross_entropy(student, TARGET, reduction='none') / F.cross_entropy(teacher, TARGET, reduction='none')
    weight = 1 - torch.exp(-ratio.detach())
    soft = -(teacher.div(2).softmax(1) * student.div(2).log_softmax(1)).sum(1)
    expected = torch.autograd.grad((weight * soft).mean() * 4, student)[0]
    gradient = torch.autograd.grad(wsld(student, teacher, TARGET, 2.0), student)[0]
    assert torch.allclose(gradient, expected, atol=1e-6)
