import torch

from mmkd_video.functional import unit
from mmkd_video.functional.normalize import divide


def test_zero_vectors_stay_zero_with_zero_gradient() -> None:
    rows = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    units = unit(rows, 1)
    assert torch.allclose(units, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
    units.sum().backward()
    assert rows.grad[1].abs().sum() == 0 and rows.grad[0].isfinite().all()


def test_quotient_has_the_gradient_of_the_least_divisor() -> None:
    numerator, divisor = torch.tensor([3.0, 3.0], requires_grad=True), torch.tensor([2.0, 0.1], requires_grad=True)
    value = divide(numerator, divisor, 0.4)
    assert torch.equal(value, numerator / divisor)
    value.sum().backward()
    assert torch.allclose(numerator.grad, torch.tensor([0.5, 10 * 0.25]))
    assert torch.allclose(divisor.grad, torch.tensor([-0.75, -300 * 0.25]))
