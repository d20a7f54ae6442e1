"""Frames, orders and segments of videos."""

import pytest
import torch

from mmkd_video.core.registry import METRICS


def measured(pairs, **settings):
    metric = METRICS.build(dict(type='SegmentationMetric', **settings))
    for found, true in pairs:
        scores = torch.nn.functional.one_hot(torch.tensor(found), 4).float()
        metric.process(None, [dict(pred_score=scores, gt_label=torch.tensor(true))])
    return metric.evaluate(len(pairs))


def test_numbers_over_two_videos_in_closed_form():
    found = measured([([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]), ([2, 2, 0, 2], [2, 2, 2, 2])])
    assert found['segmentation/accuracy'] == pytest.approx(8 / 10)
    assert found['segmentation/edit'] == pytest.approx((1 + (1 - 2 / 3)) / 2)
    # unions: 2/3 and 3/4; 2/4, a class that is not there, and a segment that is taken already
    assert found['segmentation/f1@10'] == found['segmentation/f1@50'] == pytest.approx(2 * 3 / (2 * 3 + 2 + 0))
    assert measured([([0, 1], [0, 1])], overlaps=[0.75]) == {
        'segmentation/accuracy': 1.0,
        'segmentation/edit': 1.0,
        'segmentation/f1@75': 1.0,
    }


def test_frames_without_a_label_and_a_background_count_as_said():
    pairs = [([3, 0, 0, 1], [-1, 0, 0, 2])]
    assert measured(pairs)['segmentation/accuracy'] == pytest.approx(2 / 3)
    found = measured([([3, 3, 0, 0], [3, 0, 0, 0])], background=[3])
    assert found['segmentation/accuracy'] == 0.75 and found['segmentation/edit'] == 1.0


def test_a_prediction_of_a_whole_clip_is_named():
    metric = METRICS.build(dict(type='SegmentationMetric'))
    with pytest.raises(ValueError, match=r"got scores \(4,\) and 3 labels; .*type='FrameHead'"):
        metric.process(None, [dict(pred_score=torch.ones(4), gt_label=torch.tensor([0, 1, 2]))])
