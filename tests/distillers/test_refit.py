"""A student that loses channels in training: connectors, learned losses, optimizer."""

import copy

import distillations
import pytest
import torch
from distillations import KD
from mmengine.optim import OptimWrapper

from mmkd_video.pruning import Pruner, apply_step, prune, surviving_channels

MAP = dict(type='FitNetLoss', at=('backbone.layer4', 'backbone.layer4'), weight=1.0, name='map')
VID = dict(type='VIDLoss', at=('backbone.layer3', 'backbone.layer3'))


def cut_student(model):
    """Prune the student and return which channels of each tap are left."""
    step = Pruner(dict(params=0.6)).find(model.prunable, model_inputs(model))
    kept = surviving_channels(model.prunable, step.cuts, model.tap_features)
    apply_step(model.prunable, step)
    return kept


def model_inputs(model):
    return distillations.batch(model)['inputs'][:1]


def optimizer_of(model):
    return model.build_optim_wrapper(dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9)))


def test_connectors_are_cut_to_the_surviving_channels():
    torch.manual_seed(0)
    model = distillations.build(terms=(KD, MAP, VID))
    before = copy.deepcopy(model)
    kept = cut_student(model)
    changed = model.refit(kept)
    mask = kept['backbone.layer4']
    assert kept['logits'].all()
    ours = model.training_state.terms['map'].pairs[0].connector.project
    theirs = before.training_state.terms['map'].pairs[0].connector.project
    assert 0 < mask.sum() < len(mask) and ours.in_features == ours.weight.shape[1] == int(mask.sum())
    assert torch.equal(ours.weight, theirs.weight[:, mask]) and torch.equal(ours.bias, theirs.bias)
    ((dim, indices),) = changed[ours.weight]
    assert dim == 1 and torch.equal(indices, mask.nonzero().flatten())
    assert len(changed) == 2  # the other one: VID's first layer
    losses = distillations.step(model, distillations.batch(model))
    assert all(torch.isfinite(value).all() for value in losses.values())
    assert ours.weight.grad.shape == ours.weight.shape


def test_parameters_stay_the_objects_the_optimizer_holds():
    model = distillations.build(terms=(KD, MAP, VID))
    wrapper = optimizer_of(model)
    ours = {name: id(p) for name, p in model.named_parameters()}
    model.refit(cut_student(model))
    model.regroup(wrapper)
    assert {name: id(p) for name, p in model.named_parameters()} == ours
    model.check_optimizer(wrapper)


def test_connector_that_becomes_necessary_joins_the_optimizer():
    same = dict(type='FitNetLoss', at=('backbone.layer4', 'backbone.layer4'), name='map')
    model = distillations.build(student='i3d', teacher='i3d', terms=(KD, same))
    assert not list(model.training_state.parameters())
    wrapper = optimizer_of(model)
    kept = cut_student_of(model)
    changed = model.refit(kept)
    assert not changed and model.training_state.terms['map'].pairs[0].connector is not None
    with pytest.raises(ValueError, match='in no group'):
        model.check_optimizer(wrapper)
    model.regroup(wrapper)
    model.check_optimizer(wrapper)
    assert isinstance(wrapper, OptimWrapper)


def cut_student_of(model):
    inputs = distillations.batch(model, student='i3d')['inputs'][:1]
    prune(model.prunable, inputs, dict(params=0.6))
    return {}


def test_what_cannot_be_cut_is_drawn_anew():
    model = distillations.build(terms=(KD, MAP))
    cut_student(model)
    changed = model.refit({})
    (weight,) = [p for name, p in model.training_state.named_parameters() if name.endswith('project.weight')]
    assert changed == {weight: None}
    distillations.step(model, distillations.batch(model))


def test_generators_and_statistics_are_left_alone():
    model = distillations.build(terms=(KD, MAP))
    kept = cut_student(model)
    state = copy.deepcopy(model.state_dict())
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    model.refit(kept)
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_student_is_pruned_between_steps_whatever_its_taps_remember():
    before_activation = dict(type='FitNetLoss', at=('backbone.layer4.0:pre', 'backbone.layer4:pre'))
    model = distillations.build(terms=(KD, before_activation))
    distillations.step(model, distillations.batch(model))
    kept = cut_student(model)
    model.refit(kept)
    distillations.step(model, distillations.batch(model))
