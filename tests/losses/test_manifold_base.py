import pytest
import torch

from mmkd_video.losses.manifold import ManifoldLoss


class CountLoss(ManifoldLoss):
    def compare(self, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        self.seen = tuple(student.shape), tuple(teacher.shape), self.k
        return student.sum() * len(student)


def test_a_subclass_only_compares_the_clips_at_hand() -> None:
    loss = CountLoss(3, queue_size=3, student_channels=2, teacher_channels=4)
    for expected in (2, 4, 5):
        loss(torch.ones(2, 2), torch.ones(2, 4))
        assert loss.seen == ((expected, 2), (expected, 4), 3)


def test_maps_given_directly_are_flattened_and_checked() -> None:
    loss = CountLoss()
    loss(torch.ones(2, 3, 1, 2, 2), torch.ones(2, 3, 1, 1, 1))
    assert loss.seen[:2] == ((2, 12), (2, 3))
    with pytest.raises(ValueError, match='CountLoss: got teacher of shape'):
        loss(torch.ones(2, 3), torch.full((2, 3), float('nan')))
