import pytest
import torch

from mmkd_video.functional import pearson


def test_pearson_ignores_scale_and_shift() -> None:
    row = torch.randn(3, 7, dtype=torch.float64)
    assert torch.allclose(pearson(row, 2 * row + 5, dim=1), torch.ones(3, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(pearson(row, -row, dim=1), -torch.ones(3, dtype=torch.float64), atol=1e-6)


def test_constant_row_correlates_with_nothing() -> None:
    constant = torch.ones(1, 4, requires_grad=True)
    rho = pearson(constant, torch.randn(1, 4), dim=1)
    rho.sum().backward()
    assert rho.item() == 0
    assert constant.grad.isfinite().all()


def test_pearson_adds_its_eps_to_the_product_of_the_norms() -> None:
    tiny = torch.tensor([[1e-4, -1e-4]], dtype=torch.float64)
    assert torch.allclose(pearson(tiny, tiny, dim=1), torch.tensor([2e-8 / 3e-8], dtype=torch.float64))


def test_gradient_at_a_constant_row_is_bounded_and_points_to_the_teacher() -> None:
    teacher = torch.tensor([[0.1, 0.2, 0.7]])
    student = torch.full((1, 3), 1 / 3, requires_grad=True)
    pearson(student, teacher, dim=1).sum().backward()
    assert torch.cosine_similarity(student.grad, teacher - teacher.mean()).item() == pytest.approx(1)
    assert student.grad.norm().item() == pytest.approx(1e3 / 3**-0.5)  # a thousand over the length of the row


def test_gradient_of_a_row_that_varies_is_the_derivative() -> None:
    torch.manual_seed(0)  # others would make a row that varies less than the bound
    student = (1 + 2e-3 * torch.randn(3, 7, dtype=torch.float64)).requires_grad_()
    teacher = torch.randn(3, 7, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda student: pearson(student, teacher, dim=1), student)
