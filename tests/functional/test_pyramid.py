import pytest
import torch
import torch.nn.functional as F

from mmkd_video.functional import catkd, fsp, hcl, pool_map


def test_one_frame_is_an_image() -> None:
    """Every pyramid of a clip of one frame equals that of the image."""
    student, teacher = [[torch.randn(2, 3, size, size) for size in (6, 3)] for _ in range(2)]
    clips = [[feature.unsqueeze(2) for feature in side] for side in (student, teacher)]
    assert torch.allclose(fsp(*clips), fsp(student, teacher))
    assert torch.allclose(hcl(*clips), hcl(student, teacher))
    assert torch.allclose(catkd(clips[0][0], clips[1][0], 2), catkd(student[0], teacher[0], 2))


def test_height_of_one_is_a_plain_squared_error() -> None:
    student, teacher = torch.randn(2, 3, 1, 5), torch.randn(2, 3, 1, 5)
    assert torch.equal(hcl([student], [teacher]), F.mse_loss(student, teacher))


def test_flow_of_rectangular_maps_pools_to_the_smaller_side() -> None:
    student = [torch.randn(2, 3, 4, 8), torch.randn(2, 4, 2, 4)]
    teacher = [torch.randn(2, 3, 4, 8), torch.randn(2, 4, 2, 4)]
    flows = [torch.einsum('nchw,ndhw->ncd', F.avg_pool2d(a, 2), b) / 8 for a, b in (student, teacher)]
    assert torch.allclose(fsp(student, teacher), F.mse_loss(*flows))


@pytest.mark.parametrize('size', [(4, 3, 2), (2, 3, 6), (3, 2, 1), (5, 6, 3), (8, 6, 6), (9, 7, 6)])
def test_map_is_pooled_as_by_adaptive_pooling(size: tuple) -> None:
    feature = torch.randn(2, 3, 8, 6, 6, dtype=torch.float64, requires_grad=True)
    expected = torch.nn.functional.adaptive_avg_pool3d(feature, size)
    pooled = pool_map(feature, size)
    assert torch.allclose(pooled, expected, rtol=1e-12, atol=1e-12)
    weights = torch.randn_like(expected)
    ours, theirs = (torch.autograd.grad((each * weights).sum(), feature)[0] for each in (pooled, expected))
    assert torch.allclose(ours, theirs, rtol=1e-12, atol=1e-12)
