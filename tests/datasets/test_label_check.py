"""What is told of labels before a step."""

import pytest
import torch
from mmaction.datasets import VideoDataset
from mmaction.structures import ActionDataSample
from torch import nn

from mmkd_video.datasets.label_check import expect_known_classes, wrong_label


@pytest.fixture
def recognizer():
    model = nn.Module()
    model.cls_head = nn.Module()
    model.cls_head.num_classes = 4
    return model


def test_a_clip_without_a_label_needs_a_teacher(recognizer):
    samples = [ActionDataSample().set_gt_label(label) for label in (2, -1)]
    assert 'without a teacher every clip needs one' in wrong_label(samples, recognizer, labelled=True)
    assert wrong_label(samples, recognizer, labelled=False) is None


def test_a_label_that_is_no_class_is_named(recognizer):
    assert 'got label 4, expected 0 to 3' in wrong_label([ActionDataSample().set_gt_label(4)], recognizer, True)
    assert wrong_label([ActionDataSample().set_gt_label(torch.rand(4))], recognizer, True) is None


@pytest.mark.parametrize('line', ['b.mp4 -1', 'b.mp4'])
def test_validation_needs_a_label_for_every_clip(recognizer, tmp_path, line):
    (tmp_path / 'val.txt').write_text(f'a.mp4 3\n{line}\n')
    dataset = VideoDataset(str(tmp_path / 'val.txt'), pipeline=[])
    expect_known_classes(dataset, recognizer)
    with pytest.raises(ValueError, match=r'val\.txt:2: got no label in .*leave such clips out'):
        expect_known_classes(dataset, recognizer, labelled=True)
    (tmp_path / 'val.txt').write_text('a.mp4 4\n')
    with pytest.raises(ValueError, match=r'val\.txt:1: got label .4.; expected 0 to 3'):
        expect_known_classes(dataset, recognizer)
    (tmp_path / 'val.txt').write_text(f'a.mp4 {"9" * 5000}\n')
    with pytest.raises(ValueError, match=r'val\.txt:1: got label .9{40}.; expected 0 to 3'):
        expect_known_classes(dataset, recognizer)
