"""Similarities to a queue, worked out by hand."""

import math

import pytest
import torch

from mmkd_video.functional import similarity_queue


def test_two_entries_by_hand() -> None:
    """Angles of 0 and 60 degrees for the student, 0 and 90 for the teacher, whatever the lengths."""
    teacher, queue = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    student = torch.tensor([[math.cos(math.pi / 6), math.sin(math.pi / 6)]]) * 7  # 30 degrees from the teacher
    theirs = math.exp(1 / 0.5), math.exp(0 / 0.5)
    ours = math.exp(math.cos(math.pi / 6) / 2), math.exp(0.5 / 2)
    expected = sum(
        t / sum(theirs) * math.log((t / sum(theirs)) / (s / sum(ours))) for t, s in zip(theirs, ours, strict=True)
    )
    value = similarity_queue(student, teacher, queue, temperature=2.0, teacher_temperature=0.5)
    assert value.item() == pytest.approx(expected, rel=1e-5)


def test_clips_are_averaged_and_the_order_of_the_queue_is_no_matter() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(3, 4), torch.randn(3, 4)
    queue = torch.nn.functional.normalize(torch.randn(6, 4))
    whole = similarity_queue(student, teacher, queue, 0.1, 0.2)
    each = [similarity_queue(student[i : i + 1], teacher[i : i + 1], queue.flip(0), 0.1, 0.2) for i in range(3)]
    assert whole.item() == pytest.approx(sum(each).item() / 3, rel=1e-5)
