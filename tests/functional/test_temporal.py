import pytest
import torch
import torch.nn.functional as F

from mmkd_video.functional import (
    at,
    frame_importance,
    per_frame_at,
    space_time_at,
    temporal_difference,
    temporal_order,
    temporal_relation,
)


def clip(seed: int, frames: int = 4, size: int = 3) -> torch.Tensor:
    shape = (2, 3, frames, size, size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_still_background_does_not_count_as_motion() -> None:
    moving, background = clip(0), clip(1)[:, :, :1]
    assert temporal_difference(moving + background, moving).item() < 1e-25
    assert temporal_difference(moving.flip(2), moving).item() > 1


def test_reversed_motion_is_maximally_wrong_on_a_straight_line_only() -> None:
    steps = torch.arange(4.0).view(1, 4, 1) * torch.tensor([1.0, 2.0])
    assert temporal_order(3 * steps, steps).item() == pytest.approx(0, abs=1e-6)
    assert temporal_order(steps.flip(1), steps).item() == pytest.approx(2)
    there_and_back = steps[:, [0, 1, 2, 1, 0]]
    assert temporal_order(there_and_back.flip(1), there_and_back).item() == 0
    angle = torch.linspace(0, torch.pi, 5).view(1, 5, 1)
    half_circle = torch.cat([angle.cos(), angle.sin()], dim=2)
    assert 0.5 < temporal_order(half_circle.flip(1), half_circle).item() < 1.9


def test_relation_of_frames_is_the_cosine_of_their_vectors() -> None:
    student = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    teacher = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    assert temporal_relation(student, teacher).item() == pytest.approx(2 / 4)


@pytest.mark.parametrize('loss', [temporal_difference, temporal_order, temporal_relation])
def test_one_frame_has_no_motion(loss: callable) -> None:
    student = clip(0, frames=1).requires_grad_()
    value = loss(student, clip(1, frames=1))
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-12) and student.grad.abs().max() < 1e-12


def test_frames_where_the_teacher_is_active_count_more() -> None:
    teacher = torch.tensor([[[0.0], [0.0], [9.0]]])
    wrong = [teacher + torch.eye(3)[index].view(1, 3, 1) for index in (0, 2)]
    weights = [3 * frame_importance(student, teacher, 1.0).item() for student in wrong]
    assert weights[1] > weights[0]
    assert weights[1] + 2 * weights[0] == pytest.approx(3)
    assert frame_importance(clip(0), clip(1), 1e9).item() == pytest.approx(F.mse_loss(clip(0), clip(1)).item())


def test_attention_says_where_and_when_apart() -> None:
    teacher = torch.zeros(1, 1, 2, 1, 2, dtype=torch.float64)
    teacher[0, 0, 0, 0, 0] = 1
    elsewhere, later = teacher.flip(4), teacher.flip(2)
    assert space_time_at(elsewhere, teacher, 1.0, 0.0).item() == pytest.approx(2)
    assert space_time_at(elsewhere, teacher, 0.0, 1.0).item() == 0
    assert space_time_at(later, teacher, 1.0, 0.0).item() == 0
    assert space_time_at(later, teacher, 0.0, 1.0).item() == pytest.approx(2)


def test_scale_of_attention_does_not_fall_with_the_number_of_frames() -> None:
    short = clip(0, 1), clip(1, 1)
    long = [feature.expand(-1, -1, 8, -1, -1) for feature in short]
    assert per_frame_at(*short).item() == pytest.approx(at(*short, 2).item())
    assert per_frame_at(*long).item() == pytest.approx(per_frame_at(*short).item())
    assert at(*long, 2).item() < at(*short, 2).item() / 7
