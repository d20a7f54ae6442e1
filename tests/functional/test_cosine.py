import math

import pytest
import torch

from mmkd_video.functional import cosine


@pytest.mark.parametrize(('angle', 'value'), [(0, 0.0), (60, 1.0), (90, 2.0), (180, 4.0)])
def test_value_follows_from_the_angle_whatever_the_lengths(angle, value):
    turned = 5 * torch.tensor([[math.cos(math.radians(angle)), math.sin(math.radians(angle))]])
    assert cosine(turned, torch.tensor([[0.3, 0.0]])).item() == pytest.approx(value, abs=1e-6)


def test_vectors_are_those_of_channels():
    clip = torch.randn(2, 3, 2, 2, 2, generator=torch.Generator().manual_seed(0))
    scaled = clip * torch.rand(2, 1, 2, 2, 2, generator=torch.Generator().manual_seed(1)).add(0.5)
    assert cosine(clip, scaled) == pytest.approx(0, abs=1e-6)
    tokens, lengths = clip.flatten(2).transpose(1, 2), scaled.flatten(2).transpose(1, 2)
    assert cosine(tokens, lengths) == pytest.approx(0, abs=1e-6)
    assert cosine(clip, clip.flip(1)) > 0.1


def test_a_zero_vector_counts_one_and_has_no_gradient():
    student = torch.zeros(1, 3, requires_grad=True)
    value = cosine(student, torch.ones(1, 3))
    value.backward()
    assert value.item() == pytest.approx(1) and not student.grad.any()


def test_the_gradient_of_a_short_vector_is_bounded():
    student = torch.tensor([[1.0, 0.0], [1e-9, 0.0]], requires_grad=True)
    cosine(student, torch.tensor([[0.0, 1.0], [0.0, 1.0]])).backward()
    assert 100 < student.grad[1].abs().max() < 1e5
