"""The queue of teacher embeddings: what is in it, and when it moves."""

import pytest
import torch
import torch.nn.functional as F

from mmkd_video.functional import similarity_queue
from mmkd_video.losses import SimilarityQueueLoss


def rows(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))


def test_a_batch_is_compared_with_earlier_ones_and_enters_at_length_one() -> None:
    loss = SimilarityQueueLoss(3, queue_size=4, temperature=0.3, teacher_temperature=0.1)
    first = F.normalize(loss.queue)
    assert torch.allclose(loss.queue, first)  # random directions
    batches = [rows(3, seed) for seed in range(3)]
    queue = loss.queue.clone()
    for batch in batches:
        student = rows(3, 9)
        assert torch.equal(loss(student, batch), similarity_queue(student, batch, queue, 0.3, 0.1))
        queue = torch.cat([F.normalize(batch), queue])[:4]
        assert torch.allclose(loss.queue, queue)
        queue = loss.queue.clone()
    assert torch.allclose(queue[:3], F.normalize(batches[2])) and torch.allclose(queue[3], F.normalize(batches[1])[0])


def test_the_gradient_is_that_of_the_queue_before_it_moved() -> None:
    loss, student = SimilarityQueueLoss(3, queue_size=4), rows(2, 1).requires_grad_()
    queue = loss.queue.clone()
    loss(student, rows(2, 2)).backward()
    wanted = torch.autograd.grad(similarity_queue(student, rows(2, 2), queue, 0.07, 0.07), student)[0]
    assert torch.equal(student.grad, wanted) and not torch.equal(loss.queue, queue)


def test_it_rests_outside_training_and_goes_on_after_resume() -> None:
    loss = SimilarityQueueLoss(3, queue_size=5)
    for seed in range(2):
        loss(rows(2, seed), rows(2, seed + 5))
    resumed = SimilarityQueueLoss(3, queue_size=5)
    resumed.load_state_dict(loss.state_dict())
    assert torch.equal(loss(rows(2, 3), rows(2, 4)), resumed(rows(2, 3), rows(2, 4)))
    before = loss.eval().queue.clone()
    loss(rows(2, 3), rows(2, 6))
    assert torch.equal(loss.queue, before)


def test_a_batch_larger_than_the_queue_fills_it() -> None:
    loss, teacher = SimilarityQueueLoss(3, queue_size=2), rows(5, 0)
    loss(rows(5, 1), teacher)
    assert torch.allclose(loss.queue, F.normalize(teacher[:2]))


def test_an_empty_queue_is_refused() -> None:
    with pytest.raises(ValueError, match='queue_size: got 0.*; expected'):
        SimilarityQueueLoss(3, queue_size=0)
