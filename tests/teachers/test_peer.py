"""Peers: recognizers that are trained together with the student."""

import copy

import pytest
import tiny
import torch
import torch.nn.functional as F
import zoo

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import kd

KD = dict(type='KDLoss', at='logits', temperature=1.0, weight=1.0)
SGD = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.01))


def peer(channels=12, dropout=0.0, **settings):
    return dict(dict(type='PeerTeacher', config=tiny.recognizer(channels, dropout)), **settings)


def config(teacher=None, terms=(KD,), **extra):
    return dict(
        dict(type='Distiller', student=tiny.recognizer(), teacher=teacher or peer(), terms=list(terms)),
        input_size=tiny.SIZE,
        **extra,
    )


def build(*args, **extra):
    torch.manual_seed(0)
    return MODELS.build(config(*args, **extra)).train()


def batch(model, labels=(0, 1)):
    data = zoo.batch_for(tiny.recognizer(), tiny.SIZE, clips=len(labels))
    for sample, label in zip(data['data_samples'], labels, strict=True):
        sample.set_gt_label(label)
    return model.data_preprocessor(data, True)


def test_both_learn_from_labels_and_from_each_other():
    model = build()
    data = batch(model)
    found = model(**data, mode='loss')
    own, theirs = model.student(data['inputs'], stage='head'), model.teachers['teacher'].state
    scores = theirs(data['views']['teacher'], stage='head')
    assert theirs.training and scores.requires_grad
    assert torch.allclose(found['loss_kd'], kd(own, scores, 1.0), atol=1e-6)
    assert torch.allclose(found['loss_teacher_mutual'], kd(scores, own, 1.0), atol=1e-6)
    assert torch.allclose(found['loss_teacher_task'], F.cross_entropy(scores, torch.tensor([0, 1])), atol=1e-6)
    assert found['teacher_agreement'] == (own.argmax(1) == scores.argmax(1)).float().mean()
    assert 'teacher_top1_acc' in found and 'loss_cls' in found


def test_neither_is_pulled_by_the_others_loss():
    model = build()
    found = model(**batch(model), mode='loss')
    for key, moved in (('loss_kd', 'student'), ('loss_teacher_mutual', 'peer'), ('loss_teacher_task', 'peer')):
        sides = dict(student=model.student, peer=model.teachers['teacher'].state)
        for side, module in sides.items():
            gradients = torch.autograd.grad(found[key], list(module.parameters()), retain_graph=True, allow_unused=True)
            assert any(each is not None for each in gradients) == (side == moved), (key, side)


def test_three_learn_from_one_another_or_from_chosen_partners():
    terms = [dict(KD, teacher='a'), dict(KD, teacher='b', name='kd_b')]
    tsm, _ = zoo.config_of('tsm_mobilenet')  # another family
    model = build(dict(a=peer(), b=peer(config=tsm, partners=['a'])), terms=terms)
    assert model.teachers['a'].partners == ['student', 'b'] and model.teachers['b'].partners == ['a']
    model.teachers['b'].state.cls_head.dropout.p = 0.0
    data = batch(model)
    found = model(**data, mode='loss')
    student = model.student(data['inputs'], stage='head')
    a, b = (model.teachers[name].state(data['views'][name], stage='head') for name in 'ab')
    assert torch.allclose(found['loss_a_mutual'], (kd(a, student, 1.0) + kd(a, b, 1.0)) / 2, atol=1e-5)
    assert torch.allclose(found['loss_b_mutual'], kd(b, a, 1.0), atol=1e-5)


def test_weights_and_other_losses_of_a_peer():
    data, found = None, []
    for settings in ({}, dict(task_weight=0.5, mutual=dict(type='KDLoss', temperature=1.0, weight=0.25))):
        model = build(peer(**settings))
        data = data or batch(model)
        found.append(model(**data, mode='loss'))
    assert torch.allclose(found[1]['loss_teacher_task'], 0.5 * found[0]['loss_teacher_task'])
    assert torch.allclose(found[1]['loss_teacher_mutual'], 0.25 * found[0]['loss_teacher_mutual'])
    model = build(peer(mutual=None))
    assert 'loss_teacher_mutual' not in model(**data, mode='loss')


def test_clips_without_a_label_are_in_the_mutual_loss_alone():
    model = build()
    found = model(**batch(model, labels=(-1, -1)), mode='loss')
    assert found['loss_teacher_task'] == 0 and found['loss_teacher_mutual'] > 0
    torch.stack([value for key, value in found.items() if 'loss' in key]).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_a_peer_trains_with_the_base_recipe():
    with_parts = dict(SGD, paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys=dict(cls_head=dict(lr_mult=0.5))))
    terms = [KD, dict(type='FitNetLoss', at='backbone.layer1', weight=1.0)]
    for recipe, rate, decay in ((SGD, 0.1, 0.01), (with_parts, 0.05, 0.0)):
        model = build(terms=terms, connector_lr_mult=3.0, connector_decay=0.5)
        wrapper = model.build_optim_wrapper(dict(type='OptimWrapper', **copy.deepcopy(recipe)))
        group_of = {id(p): group for group in wrapper.optimizer.param_groups for p in group['params']}
        state = model.teachers['teacher'].state
        assert group_of[id(state.cls_head.fc_cls.weight)]['lr'] == rate
        assert group_of[id(state.backbone.conv1.bn.weight)]['weight_decay'] == decay
        assert group_of[id(state.backbone.conv1.conv.weight)]['lr'] == 0.1
        connector = next(model.training_state.terms.parameters())
        assert group_of[id(connector)]['lr'] == pytest.approx(0.3) and group_of[id(connector)]['weight_decay'] == 0.5
        model.check_optimizer(wrapper)


def test_a_constructor_of_the_students_family_is_not_asked_for_the_peer():
    tsm, size = zoo.config_of('tsm_mobilenet')
    model = MODELS.build(dict(config(peer(partners=['student'])), student=tsm))
    recipe = dict(constructor='TSMOptimWrapperConstructor', paramwise_cfg=dict(fc_lr5=True))
    wrapper = model.build_optim_wrapper(dict(type='OptimWrapper', **SGD, **recipe))
    model.check_optimizer(wrapper)
    state = model.teachers['teacher'].state
    weight, groups = state.cls_head.fc_cls.weight, wrapper.optimizer.param_groups
    (group,) = [group for group in groups if any(parameter is weight for parameter in group['params'])]
    assert group['lr'] == 0.1 and len(group['params']) == len(list(state.parameters()))


def test_a_copy_of_the_model_has_a_peer_of_its_own_and_checkpoints_have_none():
    model = build()
    model(**batch(model), mode='loss')
    other = copy.deepcopy(model)
    assert other.teachers['teacher'].state is other.training_state.teachers['teacher']
    assert other.teachers['teacher'].state is not model.teachers['teacher'].state
    assert set(model.state_dict()) == set(MODELS.build(tiny.recognizer()).state_dict())


@pytest.mark.parametrize(
    ('settings', 'said'),
    [
        (dict(partners=['studnt']), r"teacher.partners: got 'studnt'; expected .*did you mean 'student'"),
        (dict(mutual=dict(type='ATLoss')), "teacher.mutual.type: got 'ATLoss'; expected a loss of two class scores"),
        (dict(mutual=dict(type='DKDLoss')), "got 'DKDLoss'; expected a loss of two class scores"),
        (dict(mutual=dict(type='KDLoss', temperature=0.0)), 'teacher.mutual.temperature: got 0'),
        (dict(mutual=dict(type='KDLoss', temprature=1.0)), "teacher.mutual.*temprature.*did you mean 'temperature'"),
        (dict(checkpoint='nowhere.pth'), 'nowhere.pth'),
        (dict(config=zoo.config_of('i3d')[0] | dict(type='Recognizer4D')), 'Recognizer4D'),
    ],
)
def test_mistakes_are_named(settings, said):
    with pytest.raises((KeyError, ValueError, FileNotFoundError), match=said):
        build(peer(**settings))


def test_other_classes_are_refused():
    other = tiny.recognizer(12)
    other['cls_head']['num_classes'] = 7
    with pytest.raises(ValueError, match='teacher: got a peer with 7 classes beside a student with 5; expected one'):
        build(peer(config=other, partners=['student']), terms=[dict(type='FitNetLoss', at='backbone.layer1')])
