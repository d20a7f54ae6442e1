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
