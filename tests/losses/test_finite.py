import copy
import pickle

import pytest
import torch

from mmkd_video.losses import FitNetLoss, HCLLoss, VIDLoss
from mmkd_video.losses.finite import FiniteWatch

NAN = torch.tensor([[1.0, float('nan')]])
FINE = torch.ones(1, 2)


class Arrival:
    def synchronize(self) -> None:
        """The copy is there at once."""


class DeferredWatch(FiniteWatch):
    """What happens on an accelerator, on a CPU."""

    def _waits_for(self, tensor: torch.Tensor) -> bool:
        return True

    def _send(self, totals: torch.Tensor) -> tuple:
        return totals.clone(), Arrival()


def deferred() -> FitNetLoss:
    loss = FitNetLoss()
    loss._finite = DeferredWatch()
    return loss


def test_the_teacher_is_named_before_the_student() -> None:
    with pytest.raises(
        ValueError, match=r'FitNetLoss: got teacher of shape \(1, 2\) with NaN or infinity; check its c'
    ):
        FitNetLoss()(NAN, NAN)


def test_the_layer_is_named() -> None:
    maps = [torch.ones(1, 1, 2, 2), torch.ones(1, 1, 1, 1)]
    broken = [maps[0], maps[1] * float('inf')]
    with pytest.raises(ValueError, match=r'HCLLoss: got student layer 1 of shape \(1, 1, 1, 1\) with NaN or infinity'):
        HCLLoss()(broken, maps)


def test_a_broken_learned_part_is_named() -> None:
    loss = VIDLoss(2)
    torch.nn.init.constant_(loss.raw_variance, float('nan'))
    with pytest.raises(ValueError, match="although its inputs are: its learned 'raw_variance' holds NaN"):
        loss(FINE, FINE)


def test_an_overflow_inside_the_loss_is_named() -> None:
    with pytest.raises(ValueError, match='the value is not finite, although its inputs are: its arguments are too'):
        FitNetLoss()(FINE * 3e38, FINE)


def test_finite_numbers_whose_sum_overflows_pass() -> None:
    large = torch.full((1, 4), 2e38)
    assert FitNetLoss()(large, large) == 0


def test_gradient_scaling_may_skip_a_student_in_float16() -> None:
    assert FitNetLoss()(NAN.half(), FINE.half()).isnan()
    with torch.autocast('cpu', torch.float16):
        assert FitNetLoss()(NAN, FINE).isnan()
    with pytest.raises(ValueError, match='got teacher'):
        FitNetLoss()(FINE.half(), NAN.half())
    with torch.autocast('cpu', torch.bfloat16), pytest.raises(ValueError, match='got student'):
        FitNetLoss()(NAN, FINE)


def test_an_accelerator_is_asked_one_step_later() -> None:
    loss = deferred()
    loss(FINE, NAN)
    with pytest.raises(ValueError, match=r'got teacher of shape \(1, 2\) with NaN or infinity in the step before'):
        loss(FINE, FINE)
    loss(FINE, FINE)
    loss(FINE, FINE)


def test_an_accelerator_reports_the_value_too() -> None:
    loss = deferred()
    loss(FINE * 3e38, FINE)
    with pytest.raises(ValueError, match='the value is not finite in the step before'):
        loss(FINE, FINE)


def test_a_student_in_float16_is_excused_later_too() -> None:
    loss = deferred()
    loss(NAN.half(), FINE.half())
    loss(FINE, FINE)


@pytest.mark.parametrize('copied', [copy.deepcopy, lambda loss: pickle.loads(pickle.dumps(loss))])
def test_a_copy_has_seen_nothing(copied) -> None:
    loss = FitNetLoss()
    loss._finite._sent = (torch.tensor([float('nan')]), Arrival())
    loss._finite._noted = [('teacher', (1, 2), torch.tensor(0.0))]
    copied(loss)(FINE, FINE)
