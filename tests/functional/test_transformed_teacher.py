import pytest
import torch

from mmkd_video.functional import kd, logit_std_kd, ttm, wttm


def test_exponent_one_is_plain_distillation() -> None:
    student, teacher = torch.randn(3, 5), torch.randn(3, 5)
    assert torch.allclose(ttm(student, teacher, 1.0), kd(student, teacher, 1.0))
    assert torch.allclose(wttm(student, teacher, 1.0), kd(student, teacher, 1.0), atol=1e-6)


def test_power_does_not_underflow_in_float32() -> None:
    teacher, student = torch.tensor([[0.0, -200.0]]), torch.zeros(1, 2)
    p = torch.tensor([0.0, -2.0]).softmax(0)
    expected = (p * (p.log() + torch.log(torch.tensor(2.0)))).sum()
    assert ttm(student, teacher, 0.01).item() == pytest.approx(expected.item(), rel=1e-5)


def test_standardised_logits_forget_scale_and_shift() -> None:
    student, teacher = torch.randn(3, 5, dtype=torch.float64), torch.randn(3, 5, dtype=torch.float64)
    assert torch.allclose(logit_std_kd(5 * student + 3, teacher, 2.0), logit_std_kd(student, teacher, 2.0), rtol=1e-5)
