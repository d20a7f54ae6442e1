"""A student that knows more classes is compared with the student before, on the classes that both know."""

import pytest
import tiny
import torch

from mmkd_video.connectors import FirstClassesConnector
from mmkd_video.core.registry import MODELS, build_model
from mmkd_video.terms import Term, TermSpec

OLD = dict(type='FirstClassesConnector')


def lwf(student, teacher, **more):
    config = dict(type='KDLoss', at='logits', temperature=2.0, connector=OLD, **more)
    return Term(TermSpec.parse(config, 0), dict(logits=student), dict(logits=teacher))


def test_the_loss_sees_the_first_scores_and_the_later_ones_get_no_gradient():
    student, teacher = torch.randn(4, 5, requires_grad=True), torch.randn(4, 3)
    found = lwf(student, teacher)(dict(logits=student), dict(logits=teacher), {})
    expected = (teacher / 2).softmax(1) * ((teacher / 2).log_softmax(1) - (student[:, :3] / 2).log_softmax(1))
    torch.testing.assert_close(found, 4 * expected.sum(1).mean())
    found.backward()
    assert student.grad[:, :3].abs().sum() > 0 and not student.grad[:, 3:].any()


def test_it_has_no_parameters_and_leaves_equal_classes_alone():
    scores = torch.randn(2, 3)
    connector = FirstClassesConnector(3)
    assert not connector.state_dict() and torch.equal(connector(scores), scores)


def test_scores_are_standardised_over_the_first_classes_alone():
    student, teacher = torch.randn(4, 5), torch.randn(4, 3)
    ours, theirs = lwf(student, teacher, standardize=True).pairs[0](student, teacher)
    assert ours.shape == theirs.shape == (4, 3)
    torch.testing.assert_close(ours.mean(1), torch.zeros(4), atol=1e-6, rtol=0)


def test_a_teacher_of_more_classes_is_told_in_one_line():
    with pytest.raises(ValueError, match='connector FirstClassesConnector gives 3 channels, but the teacher has 5'):
        lwf(torch.randn(4, 3), torch.randn(4, 5))


def test_other_connectors_still_do_not_mix_classes():
    config = dict(type='KDLoss', at='logits', connector=dict(type='ProjectionConnector'))
    with pytest.raises(ValueError, match='the student has 5 classes and the teacher 3'):
        Term(TermSpec.parse(config, 0), dict(logits=torch.randn(2, 5)), dict(logits=torch.randn(2, 3)))


def test_a_recognizer_of_three_classes_teaches_one_of_five():
    old = tiny.recognizer(12)
    old['cls_head']['num_classes'] = 3
    terms = [dict(type='KDLoss', at='logits', temperature=2.0, weight=1.0, connector=OLD)]
    settings = tiny.distiller(terms)
    settings['teacher'] = dict(config=old, checkpoint=None)
    built = MODELS.build(settings)
    (connector,) = (each for each in built.modules() if isinstance(each, FirstClassesConnector))
    assert connector.out_channels == 3
    assert set(built.state_dict()) == set(build_model(tiny.recognizer()).state_dict())
