import torch

from mmkd_video.functional import unit


def test_zero_vectors_stay_zero_with_zero_gradient() -> None:
    rows = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    units = unit(rows, 1)
    assert torch.allclose(units, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
    units.sum().backward()
    assert rows.grad[1].abs().sum() == 0 and rows.grad[0].isfinite().all()
