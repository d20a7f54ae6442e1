"""The student that teaches itself, through exits at shallow places."""

import copy

import pytest
import tiny
import torch
import torch.nn.functional as F
import zoo

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import kd
from mmkd_video.pruning import Pruner, apply_step, surviving_channels

FIT = dict(type='FitNetLoss', at=('backbone.layer1', 'backbone.layer3'), weight=1.0)
EXITS = ['backbone.layer1', 'backbone.layer2']


def config(terms=None, student='i3d', exits=EXITS, **teacher):
    model, size = zoo.config_of(student)
    model['cls_head']['dropout_ratio'] = 0.0
    teacher = dict(type='SelfTeacher', exits=exits, **teacher)
    terms = {} if terms is None else dict(terms=terms)
    return dict(type='Distiller', student=model, teacher=teacher, input_size=size, **terms)


def build(**settings):
    torch.manual_seed(0)
    return MODELS.build(config(**settings)).train()


def batch(model, labels=(0, 1), student='i3d'):
    data = zoo.batch_for(*zoo.config_of(student), clips=len(labels))
    for sample, label in zip(data['data_samples'], labels, strict=True):
        sample.set_gt_label(label)
    return model.data_preprocessor(data, True)


def parts_of(model, data):
    """Return the student's scores, its vector, and what each exit gives, computed by hand."""
    backbone, found = model.student.backbone, {}
    handles = [
        getattr(backbone, name).register_forward_hook(lambda _m, _i, out, name=name: found.update({name: out}))
        for name in ('layer1', 'layer2')
    ]
    deepest = backbone(data['inputs'].flatten(0, 1))
    [handle.remove() for handle in handles]
    vector = deepest.mean(dim=(2, 3, 4))
    given = [exit_(found[name]) for exit_, name in zip(model.teachers['teacher'].state, found, strict=True)]
    return model.student.cls_head.fc_cls(vector), vector, given


def test_exits_learn_from_labels_and_from_the_end():
    model = build(temperature=2.0, alpha=0.3, feature_weight=0.5)
    data = batch(model)
    found = model(**data, mode='loss')
    scores, vector, exits = parts_of(model, data)
    labels = torch.tensor([0, 1])
    expected = dict(
        task=0.7 * sum(F.cross_entropy(given, labels) for given, _ in exits),
        kd=0.3 * sum(kd(given, scores, 2.0) for given, _ in exits),
        feature=0.5 * sum(F.mse_loss(reduced, vector) for _, reduced in exits),
    )
    for key, value in expected.items():
        assert torch.allclose(found[f'loss_teacher_{key}'], value, atol=1e-5), key
    assert 'teacher_exit2_agreement' in found and 'loss_teacher_feature' not in build()(**data, mode='loss')


def test_their_losses_reach_the_student_before_the_exit_and_not_behind_it():
    model = build(feature_weight=0.5)
    found = model(**batch(model), mode='loss')
    backbone = model.student.backbone
    for key in ('task', 'kd', 'feature'):
        modules = (backbone.conv1, backbone.layer2, backbone.layer3, model.student.cls_head)
        parameters = [next(module.parameters()) for module in modules]
        gradients = torch.autograd.grad(found[f'loss_teacher_{key}'], parameters, retain_graph=True, allow_unused=True)
        assert [each is not None for each in gradients] == [True, True, False, False], key


def test_terms_read_the_students_own_features_without_a_gradient():
    model = build(terms=[FIT])
    found = model(**batch(model), mode='loss')
    deep = next(model.student.backbone.layer3.parameters())
    assert found['loss_fitnet'] > 0
    assert torch.autograd.grad(found['loss_fitnet'], deep, retain_graph=True, allow_unused=True) == (None,)
    with pytest.raises(KeyError, match=r"student tap 'backbone.layer9' names no module"):
        build(terms=[dict(FIT, at=('backbone.layer1', 'backbone.layer9'))])


def test_clips_without_a_label_learn_from_the_end_alone():
    model = build()
    found = model(**batch(model, labels=(-1, -1)), mode='loss')
    assert found['loss_teacher_task'] == 0 and found['loss_teacher_kd'] > 0
    torch.stack([value for key, value in found.items() if 'loss' in key]).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    half, first = (model(**batch(model, labels=labels), mode='loss') for labels in ((0, -1), (0, 1)))
    assert half['loss_teacher_task'] > 0 and half['loss_teacher_task'] != first['loss_teacher_task']


@pytest.mark.parametrize('student', ['tsm_mobilenet', pytest.param('swin3d', marks=pytest.mark.slow)])
def test_other_families_have_exits_too(student):
    model = build(student=student, exits=['backbone.layers.0' if student == 'swin3d' else 'backbone.layer3'])
    found = model(**batch(model, student=student), mode='loss')
    assert found['loss_teacher_kd'] > 0


def test_exits_are_dropped_from_checkpoints_and_trained_at_the_base_rate():
    model = build(terms=[FIT])
    assert set(model.state_dict()) == set(MODELS.build(zoo.config_of('i3d')[0]).state_dict())
    assert any(key.startswith('teachers.teacher.0.') for key in model.training_state_dict())
    wrapper = model.build_optim_wrapper(dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1)))
    model.check_optimizer(wrapper)
    model(**batch(model), mode='loss')
    other = copy.deepcopy(model)
    assert other.teachers['teacher'].state is other.training_state.teachers['teacher']
    assert other.teachers['teacher'].state is not model.teachers['teacher'].state


@pytest.mark.slow
def test_exits_fit_a_student_that_loses_channels():
    model = build(terms=[FIT])
    state = model.teachers['teacher'].state
    wrapper = model.build_optim_wrapper(dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9)))
    before = state[0].reduce[0].weight.clone()
    end = state[0].classify.weight.clone()
    step = Pruner(dict(params=0.5)).find(model.prunable, torch.randn(1, 1, 3, *tiny.SIZE))
    kept = surviving_channels(model.prunable, step.cuts, model.tap_features)
    apply_step(model.prunable, step)
    model.refit(kept)
    model.regroup(wrapper)
    model.check_optimizer(wrapper)
    after = model.teachers['teacher'].state
    assert after is model.training_state.teachers['teacher']
    first = after[0].reduce[0]
    assert first.weight is state[0].reduce[0].weight  # the optimizer's
    assert first.weight.shape[1] == first.in_channels < before.shape[1]
    assert torch.equal(first.weight, before[:, kept['backbone.layer1']])
    assert torch.equal(after[0].classify.weight, end[:, kept['pooled']]) and not kept['pooled'].all()
    losses = model(**batch(model), mode='loss')
    assert all(torch.isfinite(value).all() for key, value in losses.items() if 'loss' in key)


@pytest.mark.parametrize(
    ('settings', 'said'),
    [
        (dict(exits=['backbone.layer8']), "student tap 'backbone.layer8' names no module"),
        (dict(exits=[]), 'teacher.exits: got '),
        (dict(alpha=2.0), 'teacher.alpha: got 2.0; expected a number of at least 0 and of at most 1'),
        (dict(temperature=0.0), 'teacher.temperature: got 0.0; expected a number above 0'),
        (dict(exit=[]), "did you mean 'exits'"),
    ],
)
def test_mistakes_are_named(settings, said):
    with pytest.raises((KeyError, ValueError), match=said):
        build(**settings)
