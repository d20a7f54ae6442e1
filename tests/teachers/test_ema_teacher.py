"""The teacher that is the moving average of its student."""

import copy

import pytest
import tiny
import torch
import zoo
from mmengine.optim import OptimWrapper

from mmkd_video.core.registry import MODELS
from mmkd_video.hooks.runner_pruning import _cut_model
from mmkd_video.pruning import Pruner
from mmkd_video.teachers import TeachingStep

KD = dict(type='KDLoss', at='logits', temperature=1.0, weight=1.0)
MAP = dict(type='FitNetLoss', at='backbone.layer1', weight=1.0)
STATISTIC = 'backbone.conv1.bn.running_mean'


def config(terms=(KD,), student=None, **teacher):
    return dict(
        type='Distiller',
        student=student or tiny.recognizer(dropout=0.5),
        teacher=dict(type='EMATeacher', **teacher),
        terms=[dict(term) for term in terms],
        input_size=tiny.SIZE,
    )


def build(**settings):
    torch.manual_seed(0)
    return MODELS.build(config(**settings)).train()


def batch(seed=0, labels=None):
    data = zoo.batch_for(tiny.recognizer(), tiny.SIZE, seed=seed)
    for sample, label in zip(data['data_samples'], labels or [], strict=False):
        sample.set_gt_label(label)
    return data


def optimizer(model, counts=1, length=8):
    wrapper = OptimWrapper(torch.optim.SGD(model.student.parameters(), lr=0.1), accumulative_counts=counts)
    wrapper.initialize_count_status(model, 0, length)
    return wrapper


def train_step(model, wrapper, seed=0, **extra):
    logged = model.train_step(batch(seed, **extra), wrapper)
    model.after_step()
    return logged


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def average_of(model):
    return weights(model.teachers['teacher'].recognizer)


@pytest.mark.parametrize('warmup', [False, True])
def test_it_follows_the_student_after_each_step(warmup):
    model = build(momentum=0.75, warmup=warmup)
    wrapper, expected = optimizer(model), weights(model)
    for step, momentum in enumerate([0.0, 0.5, 2 / 3, 0.75, 0.75] if warmup else [0.75] * 2):
        train_step(model, wrapper, step)
        for name, now in model.student.named_parameters():
            expected[name] = momentum * expected[name] + (1 - momentum) * now
    found = average_of(model)
    assert not torch.equal(found['cls_head.fc_cls.weight'], model.student.cls_head.fc_cls.weight)
    for name, _ in model.student.named_parameters():
        assert torch.allclose(found[name], expected[name], atol=1e-6), name
    assert torch.equal(found[STATISTIC], model.student.state_dict()[STATISTIC])


def test_statistics_are_averaged_where_that_is_asked_for():
    model = build(momentum=0.75, warmup=False, buffers='average')
    before = model.student.state_dict()[STATISTIC].clone()
    train_step(model, optimizer(model))
    after, found = model.student.state_dict()[STATISTIC], average_of(model)
    assert torch.allclose(found[STATISTIC], 0.75 * before + 0.25 * after) and not torch.equal(before, after)
    assert found['backbone.conv1.bn.num_batches_tracked'] == 1


def test_it_stays_where_gradients_are_only_accumulated():
    model = build(momentum=0.5, warmup=False)
    wrapper, seen = optimizer(model, counts=2), [average_of(model)]
    for step in range(4):
        train_step(model, wrapper, step)
        seen.append(average_of(model))
    changed = [any(not torch.equal(a[key], b[key]) for key in a) for a, b in zip(seen, seen[1:], strict=False)]
    assert changed == [False, True, False, True]
    assert model.teachers['teacher'].state.updates == 2


def test_it_begins_as_the_student_that_is_trained_not_as_the_one_that_was_built():
    model = build()
    with torch.no_grad():
        model.student.cls_head.fc_cls.weight += 1.0  # as weights of load_from do
    loss = model(**model.data_preprocessor(batch(), True), mode='loss')
    assert loss['teacher_agreement'].shape == ()
    assert torch.equal(average_of(model)['cls_head.fc_cls.weight'], model.student.cls_head.fc_cls.weight)


def test_it_answers_without_dropout_and_gradient_and_is_in_no_optimizer():
    model = build()
    data = model.data_preprocessor(batch(), True)
    answers = [model(**data, mode='loss')['kd_raw'] for _ in range(2)]
    assert answers[0] != answers[1]  # the student has dropout
    taught = [model.teachers['teacher'].teach(_step_of(model, data))['logits'] for _ in range(2)]
    assert torch.equal(*taught) and not taught[0].requires_grad
    wrapper = model.build_optim_wrapper(dict(optimizer=dict(type='SGD', lr=0.1)))
    held = {id(p) for group in wrapper.optimizer.param_groups for p in group['params']}
    assert held == {id(p) for p in model.student.parameters()}
    assert set(model.state_dict()) == set(MODELS.build(tiny.recognizer()).state_dict())


def _step_of(model, data):
    return TeachingStep(data['views']['teacher'], data['inputs'], data['data_samples'], None, None, None)


def test_unlabelled_clips_are_taught_too():
    model = build(momentum=0.5)
    wrapper = optimizer(model)
    train_step(model, wrapper)
    train_step(model, wrapper)
    logged = train_step(model, wrapper, labels=[-1, -1])
    assert logged['loss_cls'] == 0 and logged['loss_kd'] > 0


def test_a_copy_of_the_model_has_an_average_of_its_own():
    model = build()
    other = copy.deepcopy(model)
    train_step(other, optimizer(other))
    mine, theirs = model.teachers['teacher'], other.teachers['teacher']
    assert theirs.state is other.training_state.teachers['teacher'] and theirs.state is not mine.state
    assert mine.state.updates == 0 and theirs.state.updates == 1
    assert torch.equal(average_of(other)['cls_head.fc_cls.weight'], other.student.cls_head.fc_cls.weight)


@pytest.mark.slow
def test_it_loses_the_channels_that_the_student_loses():
    student, _ = zoo.config_of('i3d')
    model = build(terms=[KD, dict(MAP, at='backbone.layer3')], student=student, momentum=0.5)
    wrapper = optimizer(model)
    train_step(model, wrapper)
    train_step(model, wrapper, 1)
    average = copy.deepcopy(model)
    step = Pruner(dict(params=0.5)).find(model.prunable, torch.randn(1, 1, 3, *tiny.SIZE))
    before = average_of(model)
    for each in (model, average):
        _cut_model(each, step)
        shapes = {name: value.shape for name, value in each.student.state_dict().items()}
        assert {name: value.shape for name, value in average_of(each).items()} == shapes
        assert each.teachers['teacher'].state is each.training_state.teachers['teacher']
    assert model.training_state.teachers['teacher'] is not average.training_state.teachers['teacher']
    cut = next(c for c in step.cuts if c.side == 'out' and c.layer.endswith('bn'))
    name = f'{cut.layer}.weight'
    assert torch.equal(average_of(model)[name], before[name][cut.kept()])
    train_step(model, wrapper, 2)
    assert model.teachers['teacher'].state.updates == 3


def test_a_student_that_has_become_another_model_is_refused():
    model = build()
    wrapper = optimizer(model)
    train_step(model, wrapper)
    model.student.cls_head.fc_cls.register_buffer('scale', torch.ones(1))
    with pytest.raises(ValueError, match=r"EMATeacher: the student .* \('cls_head.fc_cls.scale'\); expected .*QATHook"):
        train_step(model, wrapper)


@pytest.mark.parametrize(
    ('settings', 'said'),
    [
        (dict(momentum=0.0002), 'teacher.momentum: got 0.0002; expected a number of at least 0.5 and below 1'),
        (dict(buffers='keep'), "teacher.buffers: got 'keep'; expected 'copy' or 'average'"),
        (dict(momentun=0.9), "momentun.*did you mean 'momentum'"),
        (dict(terms=[dict(MAP, at=('backbone.layer1', 'backbone.layer9'))]), "tap 'backbone.layer9' names no module"),
    ],
)
def test_mistakes_are_named(settings, said):
    with pytest.raises((KeyError, ValueError), match=said):
        build(**settings)
