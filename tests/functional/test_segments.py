import math

import pytest
import torch

from mmkd_video.functional import boundary_kd, change_log_odds, edit_score, segment_hits, segments

TRUE = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]


def test_segments_are_runs_of_one_class():
    assert segments(TRUE) == [(0, 0, 4), (1, 4, 8), (2, 8, 10)]
    assert segments([-1, 3, 3, -1, 3, 0], left_out=(-1, 0)) == [(3, 1, 3), (3, 4, 5)]
    assert segments([]) == []


def test_edit_score_is_of_the_order_alone():
    assert edit_score(segments([0, 1, 1, 1, 1, 1, 1, 1, 1, 2]), segments(TRUE)) == 1.0
    assert edit_score(segments([0, 0, 1, 0, 1, 1, 1, 1, 2, 2]), segments(TRUE)) == pytest.approx(1 - 2 / 5)
    assert edit_score(segments([2] * 10), segments(TRUE)) == pytest.approx(1 - 2 / 3)
    assert edit_score([], []) == 1.0 and edit_score([], segments(TRUE)) == 0.0


def test_hits_by_overlap():
    found = segments([0, 0, 0, 1, 1, 1, 1, 1, 1, 2])  # unions: 3/4, 4/6, 1/2
    assert segment_hits(found, segments(TRUE), 0.5) == (3, 0, 0)
    assert segment_hits(found, segments(TRUE), 0.7) == (1, 2, 2)
    twice = segments([0, 1, 0, 0, 1, 1, 1, 1, 2, 2])  # two pieces of class 0 in one segment: the second is wrong
    assert segment_hits(twice, segments(TRUE), 0.1) == (3, 2, 0)
    assert segment_hits(segments([3] * 10), segments(TRUE), 0.1) == (0, 1, 3)


def test_chance_of_a_change_of_two_coins():
    scores = torch.tensor([[[0.0, 0.0], [math.log(3), 0.0]]])  # 1/2 and 1/2, then 3/4 and 1/4: the same one by 1/2
    assert change_log_odds(scores)[0].tolist() == pytest.approx([0.0], abs=1e-6)
    teacher = torch.tensor([[[math.log(3), 0.0]] * 2])  # the same class by 9/16 + 1/16: a change by 3/8
    expected = 3 / 8 * math.log(3 / 4) + 5 / 8 * math.log(5 / 4)
    assert boundary_kd(scores, teacher).item() == pytest.approx(expected, rel=1e-4)


def test_which_classes_change_does_not_matter():
    teacher = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    assert boundary_kd(teacher[..., [2, 0, 1]], teacher).item() == pytest.approx(0.0, abs=1e-6)
    assert boundary_kd(teacher.flip(1), teacher).item() > 1e-3
    assert boundary_kd(teacher[:, :1], teacher[:, :1]).item() == 0.0


def test_sure_frames_stay_finite():
    scores = torch.tensor([[[50.0, -50], [-50.0, 50], [-50.0, 50]]], requires_grad=True)
    loss = boundary_kd(scores, -scores.detach().flip(1))
    loss.backward()
    assert loss.isfinite() and scores.grad.isfinite().all()
