"""The training state's own group in the optimizer: whenever its parameters come, and in states saved without it."""

import copy

import distillations
import pytest
import torch
from distillations import KD
from mmengine.optim import CosineAnnealingLR, OptimWrapperDict, build_optim_wrapper
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS

from mmkd_video.distillers.optimizer import MARK, TRAINING_STATE, complete_schedules, find_group
from mmkd_video.pruning import prune

SAME = dict(type='FitNetLoss', at=('backbone.layer4', 'backbone.layer4'), name='map')
VID = dict(type='VIDLoss', at=('backbone.layer3', 'backbone.layer3'))
SETTINGS = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(bias_lr_mult=2.0),
)


def build(terms=(KD, SAME)):
    return distillations.build(student='i3d', teacher='i3d', terms=terms, connector_lr_mult=0.5, connector_decay=0.25)


def give_birth(model, wrapper):
    """Prune the student until its connector is needed."""
    inputs = distillations.batch(model, student='i3d')['inputs'][:1]
    prune(model.prunable, inputs, dict(params=0.6))
    model.refit({})
    model.regroup(wrapper)
    return {id(p) for p in model.training_state.parameters()}


def held(group):
    return {id(p) for p in group['params']}


def without_own_group(state):
    """Return a state as it was saved while an empty training state had no group: what was born joined the last one."""
    *groups, own = copy.deepcopy(state)['param_groups']
    groups[-1]['params'] += own['params']
    return {**state, 'param_groups': groups}


def test_a_connector_born_by_pruning_does_not_join_the_students_group():
    model = build()
    wrapper = model.build_optim_wrapper(SETTINGS)
    students = [held(group) for group in wrapper.optimizer.param_groups[:-1]]
    born = give_birth(model, wrapper)
    groups = wrapper.optimizer.param_groups
    assert born and held(groups[-1]) == born
    assert (groups[-1]['lr'], groups[-1]['weight_decay']) == (0.05, 0.25)
    assert all(held(group) <= before for group, before in zip(groups[:-1], students, strict=True))


def test_it_joins_its_own_group_also_where_another_stands_behind():
    model = build()
    wrapper = model.build_optim_wrapper(SETTINGS)
    model.student.late = torch.nn.Parameter(torch.zeros(1))
    wrapper.optimizer.add_param_group(dict(params=[model.student.late]))
    born = give_birth(model, wrapper)
    assert held(wrapper.optimizer.param_groups[-2]) == born
    assert held(wrapper.optimizer.param_groups[-1]) == {id(model.student.late)}


def test_an_unmarked_optimizer_is_told():
    with pytest.raises(ValueError, match='none of its 1 groups is that of the training state'):
        find_group(torch.optim.SGD([torch.zeros(1)], lr=0.1).param_groups)


def test_the_mark_survives_a_state_that_was_saved_without_it():
    model = build(terms=[KD, VID])
    wrapper = model.build_optim_wrapper(SETTINGS)
    state = copy.deepcopy(wrapper.state_dict())
    del state['param_groups'][-1][MARK]
    wrapper.load_state_dict(state)
    assert find_group(wrapper.optimizer.param_groups) == len(wrapper.optimizer.param_groups) - 1


@pytest.mark.parametrize('pruned', [False, True])
def test_a_state_that_was_saved_without_the_group_is_taken_up(pruned):
    model = build()
    wrapper = model.build_optim_wrapper(SETTINGS)
    schedule = CosineAnnealingLR(wrapper, T_max=4, by_epoch=False)
    if pruned:
        born = give_birth(model, wrapper)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 0.5)
    wrapper.optimizer.step()
    schedule.step()
    state, moved = without_own_group(wrapper.state_dict()), wrapper.optimizer.param_groups[0]['lr']
    momentum = {id(p): wrapper.optimizer.state[p]['momentum_buffer'].clone() for p in wrapper.optimizer.state}
    fresh = model.build_optim_wrapper(SETTINGS)
    CosineAnnealingLR(fresh, T_max=4, by_epoch=False)
    fresh.load_state_dict(state)
    model.check_optimizer(fresh)
    assert held(fresh.optimizer.param_groups[-1]) == (born if pruned else set())
    own = fresh.optimizer.param_groups[-1]
    assert own[MARK] == TRAINING_STATE and own['weight_decay'] == 0.25
    assert 0 < moved < 0.1 and own['lr'] == pytest.approx(moved / 2)
    assert {id(p) for p in fresh.optimizer.state} == set(momentum)
    assert all(torch.equal(s['momentum_buffer'], momentum[id(p)]) for p, s in fresh.optimizer.state.items())


def test_a_schedule_that_was_saved_without_the_group_moves_it_and_what_stands_behind():
    model = build()
    wrapper = model.build_optim_wrapper(SETTINGS)
    wrapper.optimizer.add_param_group(dict(params=[torch.nn.Parameter(torch.zeros(1))], lr=0.3))
    schedule = CosineAnnealingLR(wrapper, T_max=4, by_epoch=False)
    full = list(schedule.base_values)
    complete_schedules(wrapper, [schedule])
    assert schedule.base_values == full and full[-3:] == [0.05, 0.3, 0.1]  # the last is MMEngine's own
    schedule.base_values = [*full[:-3], *full[-2:]]
    complete_schedules(wrapper, [schedule])
    assert schedule.base_values == full


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class OneForEachPart:
    """As a user writes one for a recognizer with a train_step of its own."""

    def __init__(self, optim_wrapper_cfg, paramwise_cfg=None):
        self.config = optim_wrapper_cfg

    def __call__(self, model):
        parts = dict(backbone=model.backbone, head=model.cls_head)
        return OptimWrapperDict(**{name: build_optim_wrapper(part, self.config) for name, part in parts.items()})


def test_several_optimizers_are_refused_in_one_line():
    model = build()
    settings = dict(constructor='OneForEachPart', optimizer=SETTINGS['optimizer'])
    with pytest.raises(
        ValueError, match=r'optim_wrapper: got 2 optimizers \(backbone, head\); expected one.*paramwise_cfg'
    ) as caught:
        model.build_optim_wrapper(settings)
    assert '\n' not in str(caught.value)
    one = model.build_optim_wrapper(SETTINGS)
    with pytest.raises(ValueError, match='got 2 optimizers'):
        model.check_optimizer(OptimWrapperDict(one=one, other=one))
