"""Introspective adversarial distillation and MTARD's shares, in closed form."""

import math

import pytest
import torch

from mmkd_video.functional import iad, loss_rate_share

DTYPES = (torch.float64, torch.float32)


def logits(*probabilities):
    return torch.tensor([probabilities], dtype=torch.float64).log()


def test_a_teacher_is_trusted_as_far_as_it_withstands_the_attack():
    attacked, clean = logits(0.5, 0.5), logits(0.8, 0.2)
    teacher, misled = logits(0.9, 0.1), logits(0.25, 0.75)
    taught = 0.9 * math.log(0.9 / 0.5) + 0.1 * math.log(0.1 / 0.5)
    own = 0.8 * math.log(0.8 / 0.5) + 0.2 * math.log(0.2 / 0.5)

    def found(label, attacked_teacher=misled, **more):
        settings = dict(temperature=1.0, exponent=0.5) | more
        return iad(attacked, clean, teacher, attacked_teacher, torch.tensor([label]), **settings).item()

    assert found(0) == pytest.approx(taught + (1 - 0.25**0.5) * own)
    assert found(1) == pytest.approx(taught + (1 - 0.75**0.5) * own)
    assert found(0, exponent=2.0) == pytest.approx(taught + (1 - 0.25**2) * own)
    assert found(0, logits(1 - 1e-15, 1e-15)) == pytest.approx(taught)


def test_the_temperature_is_that_of_the_teacher_s_part_and_both_answers_of_the_student_learn():
    attacked, clean = (each.requires_grad_() for each in (logits(0.5, 0.5), logits(0.8, 0.2)))
    target = torch.tensor([0])
    found = iad(attacked, clean, logits(16 / 17, 1 / 17), logits(0.5, 0.5), target, 2.0, 1.0)
    taught = 4 * (0.8 * math.log(0.8 / 0.5) + 0.2 * math.log(0.2 / 0.5))
    own = 0.8 * math.log(0.8 / 0.5) + 0.2 * math.log(0.2 / 0.5)
    assert found.item() == pytest.approx(taught + 0.5 * own)
    found.backward()
    assert attacked.grad.abs().sum() > 0 and clean.grad.abs().sum() > 0


def test_confident_answers_are_exact():
    sides = [60.0 * torch.eye(2)[[0, 1]], 60.0 * torch.eye(2)[[1, 0]]] * 2
    wide, narrow = (iad(*(each.to(dtype) for each in sides), torch.tensor([0, 1]), 0.1, 0.1) for dtype in DTYPES)
    assert wide.isfinite() and narrow.item() == pytest.approx(wide.item(), rel=1e-5)


def test_shares_are_those_of_the_losses_compared_with_their_start():
    losses, firsts = torch.tensor([1.0, 1.0]), torch.tensor([2.0, 4.0])
    assert loss_rate_share(losses, firsts, 1.0).tolist() == pytest.approx([2 / 3, 1 / 3])
    assert loss_rate_share(losses, firsts, 2.0).tolist() == pytest.approx([4 / 5, 1 / 5])
    assert loss_rate_share(losses, torch.tensor([0.0, 1.0]), 1.0).tolist() == pytest.approx([0.5, 0.5])
    assert loss_rate_share(torch.zeros(2), firsts, 1.0).tolist() == [0.5, 0.5]
