import torch

from mmkd_video.functional import gram


def test_products_of_all_pairs_of_rows_with_their_derivative() -> None:
    rows = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.equal(gram(rows), rows @ rows.mT)
    assert torch.autograd.gradcheck(gram, rows)
    weights = torch.randn(2, 3, 3, dtype=torch.float64)  # not symmetric
    assert torch.autograd.gradcheck(lambda rows: (weights * gram(rows)).sum(), rows)
