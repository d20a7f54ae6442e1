"""DINO's loss in closed form, and what it does to a student that says the same of all clips."""

import math

import pytest
import torch

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import centred_cross_entropy
from mmkd_video.self_supervised import DINOLoss

CLASSES = 8
SAME = torch.tensor([1.0, *[0.0] * 7]).repeat(32, 1)  # one prototype wins for all clips
SPREAD = torch.eye(CLASSES).repeat(4, 1)  # each prototype wins for as many clips


def settled(scores, momentum=0.9):
    """Return the loss of a student and a teacher with these scores, once the centre rests."""
    loss = DINOLoss(CLASSES, momentum=momentum)
    for _ in range(200):
        value = loss(scores, scores)
    return value.item()


def test_the_value_is_the_one_worked_out_by_hand():
    student, teacher = torch.tensor([[0.0, math.log(3.0)]]), torch.tensor([[math.log(4.0), 0.0]])
    # centred by (log 2, 0) and divided by 0.5 the teacher says 4 : 1; divided by 1 the student says 1 : 3
    expected = -(0.8 * math.log(1 / 4) + 0.2 * math.log(3 / 4))
    found = centred_cross_entropy(student, teacher, torch.tensor([math.log(2.0), 0.0]), 1.0, 0.5)
    assert found.item() == pytest.approx(expected)


def test_the_loss_reads_the_centre_first_and_moves_it_afterwards():
    loss, student = DINOLoss(2, temperature=1.0, teacher_temperature=0.5, momentum=0.75), torch.randn(3, 2)
    first, second = torch.randn(3, 2), torch.randn(3, 2)
    assert torch.equal(loss(student, first), centred_cross_entropy(student, first, torch.zeros(2), 1.0, 0.5))
    centre = 0.25 * first.mean(dim=0)
    torch.testing.assert_close(loss.centre, centre)
    torch.testing.assert_close(loss(student, second), centred_cross_entropy(student, second, centre, 1.0, 0.5))
    torch.testing.assert_close(loss.centre, 0.75 * centre + 0.25 * second.mean(dim=0))


def test_a_student_that_says_the_same_of_all_clips_cannot_meet_it():
    uniform = torch.zeros(32, CLASSES)
    assert settled(uniform) == pytest.approx(math.log(CLASSES))
    assert settled(SAME) > math.log(CLASSES) + 1
    assert settled(SPREAD) < 0.01
    # without a centre it would be met
    assert centred_cross_entropy(SAME, SAME, torch.zeros(CLASSES), 0.1, 0.04).item() < 0.01


def test_no_constant_answer_is_better_than_the_uniform_one():
    answers = torch.randn(20, CLASSES, generator=torch.Generator().manual_seed(0))
    for answer in answers:
        assert settled(answer.repeat(4, 1)) >= math.log(CLASSES) - 1e-5


def test_training_takes_a_student_away_from_one_answer_for_all():
    """Two groups of clips; all begin in the same half."""
    generator = torch.Generator().manual_seed(0)
    clips = torch.tensor([[3.0, 1.0], [3.0, -1.0]]).repeat(16, 1) + 0.1 * torch.randn(32, 2, generator=generator)
    student, teacher = torch.nn.Linear(2, 2, bias=False), torch.nn.Linear(2, 2, bias=False)
    start = torch.tensor([[0.3, 0.05], [-0.3, 0.0]])
    for model in (student, teacher):
        model.weight.data.copy_(start)
    loss, optimizer = DINOLoss(2), torch.optim.SGD(student.parameters(), lr=0.05)
    before = student(clips).argmax(dim=1)
    assert len(before.unique()) == 1
    for _ in range(300):
        optimizer.zero_grad()
        loss(student(clips), teacher(clips).detach()).backward()
        optimizer.step()
        teacher.weight.data.lerp_(student.weight.data, 0.1)
    said = (teacher(clips) - loss.centre).argmax(dim=1)
    assert len(said[::2].unique()) == len(said[1::2].unique()) == 1 and said[0] != said[1]


def test_the_centre_survives_and_stays_in_eval():
    loss, scores = DINOLoss(CLASSES), torch.randn(4, CLASSES)
    loss(scores, scores)
    again = DINOLoss(CLASSES)
    again.load_state_dict(loss.state_dict())
    assert torch.equal(again(scores, 2 * scores), loss(scores, 2 * scores))
    before = loss.eval().centre.clone()
    loss(scores, 3 * scores)
    assert torch.equal(loss.centre, before)


def test_the_gradient_reaches_the_student_alone_also_in_half_precision():
    loss = DINOLoss(CLASSES)
    for kind in (torch.float32, torch.float16, torch.float64):
        mine, theirs = (torch.randn(1, CLASSES, dtype=kind, requires_grad=True) for _ in range(2))
        loss(mine, theirs).backward()
        assert mine.grad.isfinite().all() and mine.grad.abs().sum() > 0 and theirs.grad is None


@pytest.mark.parametrize(
    'setting', [dict(temperature=0.0), dict(teacher_temperature=-1.0), dict(momentum=1.0), dict(momentum=0.0)]
)
def test_a_setting_out_of_its_range_is_named(setting):
    with pytest.raises(ValueError, match=f'{next(iter(setting))}: got'):
        MODELS.build(dict(type='DINOLoss', teacher_channels=3, **setting))


def test_other_prototypes_than_it_was_built_for_are_refused():
    with pytest.raises(ValueError, match='4 channels, but it was built with teacher_channels=3'):
        DINOLoss(3)(torch.zeros(2, 4), torch.zeros(2, 4))
