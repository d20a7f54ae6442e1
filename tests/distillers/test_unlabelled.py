"""Clips without a label take part in terms, and in nothing that needs one."""

import copy

import pytest
import torch
import zoo
from distillations import KD, build, step

DKD = dict(type='DKDLoss', at='logits', weight=1.0)


def labelled_batch(model, labels):
    """A batch with these labels, -1 for none; the clips do not depend on them."""
    data = zoo.batch_for(*zoo.config_of('tsm_mobilenet'), seed=0, clips=len(labels))
    for sample, label in zip(data['data_samples'], labels, strict=True):
        sample.set_gt_label(label)
    return model.data_preprocessor(data, True)


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    built = build(terms=[KD, DKD])
    for module in built.student.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return built


def losses_of(model, labels):
    return copy.deepcopy(model)(**labelled_batch(model, labels), mode='loss')


def test_the_tasks_loss_is_that_of_the_labelled_rows_and_terms_see_all(model):
    found, whole = losses_of(model, [2, -1, 1, -1]), losses_of(model, [2, 0, 1, 0])
    assert found['kd_raw'].item() == pytest.approx(whole['kd_raw'].item(), rel=1e-6)
    clone = copy.deepcopy(model)
    scores = clone.student.extract_feat(labelled_batch(clone, [2, 0, 1, 0])['inputs'], stage='head')[0]
    expected = torch.nn.functional.cross_entropy(scores[[0, 2]], torch.tensor([2, 1]))
    assert found['loss_cls'].item() == pytest.approx(expected.item(), rel=1e-5)
    right = (scores[[0, 2]].argmax(1) == torch.tensor([2, 1])).float().mean()
    assert float(found['top1_acc']) == pytest.approx(float(right))
    assert 'loss_by_feat' not in vars(model.student.cls_head)


def test_a_loss_that_needs_labels_sees_the_labelled_rows_only(model):
    dkd = model.training_state.terms['dkd'].loss
    clone = copy.deepcopy(model)
    data = labelled_batch(clone, [2, -1, 1, -1])
    scores = clone.student.extract_feat(data['inputs'], stage='head')[0]
    teacher = clone.teachers['teacher'].features(data['views']['teacher'])['logits']
    expected = dkd(scores[[0, 2]], teacher[[0, 2]], labels=torch.tensor([2, 1]))
    assert losses_of(model, [2, -1, 1, -1])['dkd_raw'].item() == pytest.approx(expected.item(), rel=1e-4)


def test_without_any_label_the_task_gives_zero_and_gradients_of_zero(model):
    clone = copy.deepcopy(model)
    losses = clone(**labelled_batch(clone, [-1, -1]), mode='loss')
    assert losses['loss_cls'].item() == losses['dkd_raw'].item() == 0.0
    assert 'top1_acc' not in losses
    losses['loss_cls'].backward(retain_graph=True)
    assert all(not parameter.grad.any() for parameter in clone.student.parameters())
    losses['loss_kd'].backward()
    assert any(parameter.grad.any() for parameter in clone.student.parameters())


def test_a_batch_with_labels_everywhere_is_as_before(model):
    assert {'loss_cls', 'top1_acc', 'top5_acc', 'loss_kd', 'loss_dkd'} <= set(losses_of(model, [0, 1]))


def test_mixing_labels_that_are_missing_is_refused():
    blended = build(terms=[KD])
    blended.student.data_preprocessor.blending = torch.nn.Identity()
    with pytest.raises(ValueError, match=r'data_preprocessor.blending: Identity mixes labels.*without one'):
        labelled_batch(blended, [1, -1])


def test_a_neck_with_losses_of_its_own_is_refused(model):
    clone = copy.deepcopy(model)
    data = labelled_batch(clone, [1, -1])
    type(clone.student).with_neck, kept = True, type(clone.student).with_neck
    clone.student.neck = torch.nn.Identity()
    try:
        with pytest.raises(ValueError, match=r'student.neck: Identity has losses of its own'):
            step(clone, data)
    finally:
        type(clone.student).with_neck = kept


def test_a_balanced_term_waits_for_the_first_batch_with_a_label():
    torch.manual_seed(0)
    model = build(terms=[dict(type='KDLoss', at='logits')])
    first = model(**labelled_batch(model, [-1, -1]), mode='loss')
    second = model(**labelled_batch(model, [2, -1]), mode='loss')
    assert first['loss_kd'].item() == 0 and first['kd_raw'].item() > 0
    assert second['loss_kd'].item() > 0


def test_a_balanced_loss_that_needs_labels_waits_for_some():
    torch.manual_seed(0)
    built = build(terms=[dict(type='DKDLoss', at='logits')])
    without = built(**labelled_batch(built, [-1, -1]), mode='loss')
    assert without['loss_dkd'].item() == 0.0
    found = built(**labelled_batch(built, [2, -1]), mode='loss')
    assert found['loss_dkd'].item() > 0.0 and found['dkd_grad'] > 0
