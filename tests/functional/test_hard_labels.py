import math

import pytest
import torch

from mmkd_video.functional import hard_kd
from mmkd_video.losses import HardKDLoss


def test_the_teachers_decision_is_the_label():
    student = torch.tensor([[math.log(6.0), math.log(3.0), 0.0], [0.0, 0.0, 0.0]])
    teacher = torch.tensor([[-1.0, 0.5, 0.4], [9.0, 2.0, -3.0]])
    assert hard_kd(student, teacher).item() == pytest.approx((-math.log(0.3) - math.log(1 / 3)) / 2)
    assert torch.equal(hard_kd(student, teacher), hard_kd(student, 7 * teacher))


def test_a_smoothed_label_is_spread_over_all_classes():
    student = torch.tensor([[math.log(3.0), 0.0]])
    value = hard_kd(student, torch.tensor([[1.0, 0.0]]), 0.2)
    assert value.item() == pytest.approx(-0.9 * math.log(0.75) - 0.1 * math.log(0.25))


@pytest.mark.parametrize('smoothing', [-0.1, 1.0])
def test_smoothing_stays_below_one(smoothing):
    with pytest.raises(ValueError, match=f'smoothing: got {smoothing}; expected a number'):
        HardKDLoss(smoothing=smoothing)
