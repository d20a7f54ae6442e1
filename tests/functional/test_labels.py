import pytest
import torch

from mmkd_video.functional import class_indices, decides_for_label, log_odds, non_target_logits, top_probability


def test_soft_labels_stand_for_their_largest_class() -> None:
    logits = torch.zeros(2, 3)
    assert class_indices(torch.tensor([[0.1, 0.2, 0.7], [0.6, 0.4, 0.0]]), logits).tolist() == [2, 0]
    assert class_indices(torch.tensor([2, 0], dtype=torch.int32), logits).tolist() == [2, 0]


@pytest.mark.parametrize('labels', [torch.zeros(3).long(), torch.zeros(2), torch.zeros(2, 4), torch.zeros(2, 1).long()])
def test_other_labels_are_refused(labels: torch.Tensor) -> None:
    with pytest.raises(
        ValueError, match=r'labels: got shape .*, expected class indices \(2,\) or soft labels \(2, 3\)'
    ):
        class_indices(labels, torch.zeros(2, 3))


def test_target_is_left_out_exactly() -> None:
    logits = torch.arange(6.0).view(2, 3)
    assert non_target_logits(logits, torch.tensor([0, 1])).tolist() == [[1, 2], [3, 5]]


def test_log_odds_are_exact_for_confident_networks() -> None:
    odds = log_odds(torch.tensor([[600.0, -600.0], [600.0, -600.0]]), torch.tensor([0, 1]))
    assert odds.tolist() == [1200, -1200]


def test_decisions_for_labels_hard_soft_several_and_none() -> None:
    logits = torch.tensor([[0.0, 2.0, 1.0]]).expand(4, 3)
    right, known = decides_for_label(logits, torch.tensor([1, 2, -1, 1]))
    assert right.tolist() == [True, False, False, True] and known.tolist() == [True, True, False, True]
    soft = torch.tensor([[0.3, 0.7, 0.0], [0.6, 0.4, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    right, known = decides_for_label(logits, soft)
    assert right[:3].tolist() == [True, False, True] and known.tolist() == [True, True, True, False]


def test_the_top_probability_is_that_of_the_softmax() -> None:
    logits = torch.tensor([[0.7, 0.2, 0.1], [1 / 3, 1 / 3, 1 / 3]]).log()
    assert top_probability(logits).tolist() == pytest.approx([0.7, 1 / 3])
