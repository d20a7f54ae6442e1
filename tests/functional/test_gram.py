import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mmkd_video.functional import gram


def test_products_of_all_pairs_of_rows_with_their_derivative() -> None:
    rows = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.equal(gram(rows), rows @ rows.mT)
    assert torch.autograd.gradcheck(gram, rows)
    weights = torch.randn(2, 3, 3, dtype=torch.float64)  # not symmetric
    assert torch.autograd.gradcheck(lambda rows: (weights * gram(rows)).sum(), rows)


class Products(TorchDispatchMode):
    """Count matrix products."""

    calls = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.calls += func.overloadpacket.__name__ in ('mm', 'bmm')
        return func(*args, **(kwargs or {}))


def test_the_backward_pass_needs_one_product() -> None:
    rows = torch.randn(2, 3, 5, requires_grad=True)
    with Products() as products:
        gram(rows).square().sum().backward()
    assert products.calls == 2
