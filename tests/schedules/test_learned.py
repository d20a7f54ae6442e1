import copy

import pytest
import torch

from mmkd_video.schedules import LearnedScalar, Progress
from mmkd_video.terms import Term, TermSpec

FEATURES = {'logits': torch.randn(2, 4)}


def learned_term(**config) -> Term:
    spec = TermSpec.parse(dict(type='KDLoss', at='logits', temperature=dict(type='Learned', **config)), 0)
    return Term(spec, FEATURES, FEATURES)


def test_it_starts_at_its_value_between_the_bounds():
    assert LearnedScalar(low=1, high=21)().item() == pytest.approx(11)
    assert LearnedScalar(low=1, high=21, value=4)().item() == pytest.approx(4)


def test_reversed_gradient_grows_along_a_cosine():
    scalar = LearnedScalar(end=10)
    found = []
    for epoch in (0, 5, 10, 12):
        scalar.move(Progress(epoch, epoch, 1, 12))
        scalar.raw.grad = None
        scalar().backward()
        found.append(scalar.raw.grad.item())
    assert found == pytest.approx([0, -2.5, -5, -5])


def test_the_temperature_of_a_term_is_trained_against_the_student():
    term = learned_term(low=1.0, high=9.0, end=1)
    term.move(Progress(2, 2, 1, 2))
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 4, requires_grad=True), torch.randn(2, 4)
    optimizer = torch.optim.SGD(term.parameters(), lr=0.1)
    values = []
    for _ in range(5):
        optimizer.zero_grad()
        value = term({'logits': student}, {'logits': teacher}, {})
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert all(later > earlier - 1e-5 for earlier, later in zip(values, values[1:], strict=False))  # float32
    assert values[-1] > values[0]
    assert student.grad.abs().sum() > 0


def test_a_term_can_be_copied_between_steps_and_keeps_its_number():
    term = learned_term(value=4.0)
    term({'logits': torch.randn(2, 4)}, {'logits': torch.randn(2, 4)}, {})
    assert 'learned.temperature.raw' in copy.deepcopy(term).state_dict()


def test_mistakes_name_the_key():
    with pytest.raises(
        ValueError, match="term 'kd'.temperature: got low=1.0, value=40, high=21.0; expected low < value < high"
    ):
        learned_term(value=40)
    with pytest.raises(KeyError, match="unknown key 'hight'"):
        learned_term(hight=40)
