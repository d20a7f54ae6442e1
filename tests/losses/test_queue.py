import pytest
import torch

import mmkd_video.losses as losses
from mmkd_video.losses import LLELoss, MDSLoss
from mmkd_video.losses.queue import FeatureQueue


def test_queue_keeps_the_latest_clips_first() -> None:
    queue = FeatureQueue(3, 1, 1)
    batches = [torch.tensor([[float(i)], [i + 0.5]]) for i in range(3)]
    sizes = [len(queue(batch, batch)[0]) for batch in batches]
    assert sizes == [2, 4, 5]
    assert queue.student.flatten().tolist() == [2.0, 2.5, 1.0]


def test_queue_rests_outside_training() -> None:
    queue = FeatureQueue(3, 1, 1).eval()
    queue(torch.ones(2, 1), torch.ones(2, 1))
    assert queue.filled == 0


def test_a_batch_that_overflowed_is_left_out() -> None:
    queue = FeatureQueue(3, 1, 1)
    queue(torch.ones(2, 1), torch.ones(2, 1))
    queue(torch.full((2, 1), float('inf')), torch.ones(2, 1))
    assert queue.filled == 2 and queue.student.isfinite().all()


def test_a_full_queue_asks_the_accelerator_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    queue, asked = FeatureQueue(3, 1, 1), []
    read = torch.Tensor.__int__
    monkeypatch.setattr(torch.Tensor, '__int__', lambda tensor: asked.append(0) or read(tensor), raising=False)
    for _ in range(2):
        queue(torch.ones(2, 1), torch.ones(2, 1))
    queue(torch.ones(2, 1), torch.ones(2, 1))  # reads that it is full
    del asked[:]
    joined, _ = queue(torch.ones(2, 1), torch.ones(2, 1))
    assert len(joined) == 5 and not asked


def test_a_full_queue_that_takes_up_another_state_counts_anew() -> None:
    full, young = FeatureQueue(3, 1, 1), FeatureQueue(3, 1, 1)
    for _ in range(3):
        full(torch.ones(2, 1), torch.ones(2, 1))
    young(torch.ones(2, 1), torch.ones(2, 1))
    full.load_state_dict(young.state_dict())
    assert len(full(torch.ones(2, 1), torch.ones(2, 1))[0]) == 4
    assert len(full(torch.ones(2, 1), torch.ones(2, 1))[0]) == 5


def test_earlier_clips_make_a_manifold_of_a_batch_of_one() -> None:
    loss = MDSLoss(queue_size=4, student_channels=2, teacher_channels=3)
    values = [loss(torch.randn(1, 2, requires_grad=True), torch.randn(1, 3)) for _ in range(4)]
    assert values[0].item() == values[1].item() == 0
    values[3].backward()
    assert values[3].item() > 0


@pytest.mark.parametrize('name', ['LLELoss', 'LaplacianLoss', 'IsomapLoss', 'MDSLoss', 'LTSALoss'])
def test_the_value_is_that_of_the_joined_clips(name: str) -> None:
    loss = getattr(losses, name)
    sides = torch.randn(11, 3), torch.randn(11, 4)
    queued = loss(queue_size=7, student_channels=3, teacher_channels=4)
    for start in (9, 6):
        queued(*(side[start : start + 3] for side in sides))
    value = queued(*(side[:6] for side in sides))
    joined = [side.detach() for side in sides]
    assert value > 0 and torch.allclose(value, loss()(*joined))


def test_a_queue_goes_on_after_resume() -> None:
    loss = LLELoss(k=2, queue_size=6, student_channels=2, teacher_channels=2)
    for _ in range(2):
        loss(torch.randn(2, 2), torch.randn(2, 2))
    resumed = LLELoss(k=2, queue_size=6, student_channels=2, teacher_channels=2)
    resumed.load_state_dict(loss.state_dict())
    student, teacher = torch.randn(2, 2), torch.randn(2, 2)
    assert torch.equal(loss(student, teacher), resumed(student, teacher))


def test_a_queue_needs_to_know_its_channels() -> None:
    with pytest.raises(ValueError, match='student_channels, teacher_channels: got None and 3'):
        MDSLoss(queue_size=4, teacher_channels=3)
    with pytest.raises(ValueError, match='queue_size: got -1'):
        MDSLoss(queue_size=-1)
