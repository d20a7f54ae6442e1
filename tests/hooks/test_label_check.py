"""What is told of labels before a step."""

import pytest
import torch
from mmaction.structures import ActionDataSample
from torch import nn

from mmkd_video.hooks.label_check import wrong_label


@pytest.fixture
def recognizer():
    model = nn.Module()
    model.cls_head = nn.Module()
    model.cls_head.num_classes = 4
    return model


def test_a_clip_without_a_label_needs_a_teacher(recognizer):
    samples = [ActionDataSample().set_gt_label(label) for label in (2, -1)]
    assert 'without a teacher every clip needs one' in wrong_label(samples, recognizer)
    recognizer.training_state = nn.Module()
    assert wrong_label(samples, recognizer) is None


def test_a_label_that_is_no_class_is_named(recognizer):
    assert 'got label 4, expected 0 to 3' in wrong_label([ActionDataSample().set_gt_label(4)], recognizer)
    assert wrong_label([ActionDataSample().set_gt_label(torch.rand(4))], recognizer) is None
