import torch
import torch.nn.functional as F

from mmkd_video.functional import class_attention, flow_of_procedure, hierarchical_context


def test_one_frame_is_an_image() -> None:
    """Every pyramid of a clip of one frame equals that of the image."""
    student, teacher = [[torch.randn(2, 3, size, size) for size in (6, 3)] for _ in range(2)]
    clips = [[feature.unsqueeze(2) for feature in side] for side in (student, teacher)]
    assert torch.allclose(flow_of_procedure(*clips), flow_of_procedure(student, teacher))
    assert torch.allclose(hierarchical_context(*clips), hierarchical_context(student, teacher))
    assert torch.allclose(class_attention(clips[0][0], clips[1][0], 2), class_attention(student[0], teacher[0], 2))


def test_height_of_one_is_a_plain_squared_error() -> None:
    student, teacher = torch.randn(2, 3, 1, 5), torch.randn(2, 3, 1, 5)
    assert torch.equal(hierarchical_context([student], [teacher]), F.mse_loss(student, teacher))


def test_flow_of_rectangular_maps_pools_to_the_smaller_side() -> None:
    student = [torch.randn(2, 3, 4, 8), torch.randn(2, 4, 2, 4)]
    teacher = [torch.randn(2, 3, 4, 8), torch.randn(2, 4, 2, 4)]
    flows = [torch.einsum('nchw,ndhw->ncd', F.avg_pool2d(a, 2), b) / 8 for a, b in (student, teacher)]
    assert torch.allclose(flow_of_procedure(student, teacher), F.mse_loss(*flows))
