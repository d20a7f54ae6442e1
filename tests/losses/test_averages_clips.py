"""Which losses are the mean over their clips, so that clips can be weighed: what a class says is what it computes."""

import pytest
import torch
from loss_cases import CASES, COVERED

import mmkd_video.losses as losses


def rows_of(value: object, row: int, number: int) -> object:
    if isinstance(value, list):
        return [rows_of(each, row, number) for each in value]
    return value[row : row + 1] if isinstance(value, torch.Tensor) and len(value) == number else value


def moves(loss: torch.nn.Module, *given: object) -> bool:
    """Return whether a step of training changes what the loss keeps."""
    before = {key: value.clone() for key, value in loss.state_dict().items()}
    loss(*given[:2], **given[2])
    return any(not torch.equal(value, before[key]) for key, value in loss.state_dict().items())


@pytest.mark.parametrize('name', COVERED)
def test_a_loss_says_whether_it_is_the_mean_over_its_clips(name: str) -> None:
    """One that says so is in all of its cases; of the others one case is not, unless the loss learns or keeps."""
    means, keeps = [], False
    for case in CASES[name]:
        loss, (student, teacher, keywords) = case.build(name), case.inputs()
        whole, number = loss(student, teacher, **keywords).item(), case.batch
        keeps |= moves(case.build(name).train(), student, teacher, keywords)
        alone = []
        for row in range(number):
            sides = rows_of(student, row, number), rows_of(teacher, row, number)
            alone.append(loss(*sides, **{key: rows_of(value, row, number) for key, value in keywords.items()}).item())
        means.append(sum(alone) / number == pytest.approx(whole, rel=1e-4, abs=1e-6))
    learns = any(True for _ in CASES[name][0].build(name).parameters())
    assert getattr(losses, name).averages_clips == (all(means) and not learns and not keeps)
