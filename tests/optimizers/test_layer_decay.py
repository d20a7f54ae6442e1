"""Discriminative learning rates, on top of every constructor."""

import pytest
import tiny
import zoo
from mmengine.optim import build_optim_wrapper

from mmkd_video.core.registry import build_model

SGD = dict(type='SGD', lr=1.0, weight_decay=0.5)


def rates(model, **paramwise):
    config = dict(optimizer=dict(SGD), constructor='LayerDecayConstructor', paramwise_cfg=paramwise)
    wrapper = build_optim_wrapper(model, config)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = [(names[id(each)], group) for group in wrapper.optimizer.param_groups for each in group['params']]
    assert sorted(name for name, _ in groups) == sorted(names.values())
    return {name: (group['lr'], group['weight_decay']) for name, group in groups}


def test_rates_fall_layer_by_layer_below_the_head():
    found = rates(build_model(zoo.config_of('i3d')[0]), layer_decay=0.5)
    assert found['cls_head.fc_cls.weight'] == (1.0, 0.5)
    assert found['backbone.layer4.0.conv1.conv.weight'] == (0.5, 0.5)
    assert found['backbone.layer1.0.conv1.conv.weight'] == (0.0625, 0.5)
    assert found['backbone.conv1.bn.bias'] == (0.03125, 0.5)


def test_the_constructor_below_makes_the_groups():
    config, _ = zoo.config_of('tsm_mobilenet')
    found = rates(
        build_model(config), layer_decay=0.5, constructor='TSMOptimWrapperConstructor', fc_lr5=True,
    )  # fmt: skip
    assert found['cls_head.fc_cls.weight'] == (5.0, 0.5) and found['cls_head.fc_cls.bias'] == (10.0, 0)
    assert found['backbone.conv2.conv.weight'] == (0.5, 0.5) and found['backbone.conv2.bn.weight'] == (0.5, 0)
    found = rates(build_model(config), layer_decay=0.5, custom_keys={'conv2': dict(lr_mult=3.0)})
    assert found['backbone.conv2.conv.weight'][0] == 1.5 and found['backbone.layer7.0.conv.0.conv.weight'][0] == 0.25


def test_layers_of_a_config_and_no_decay():
    model = build_model(zoo.config_of('i3d')[0])
    found = rates(model, layer_decay=0.1, layers=['backbone.layer[12]', 'backbone.layer3', 'backbone.layer4'])
    assert found['backbone.layer2.0.conv1.conv.weight'][0] == pytest.approx(0.001)
    assert found['backbone.conv1.conv.weight'][0] == pytest.approx(0.001)  # before all layers: with the first
    assert {rate for rate, _ in rates(model, layer_decay=1.0).values()} == {1.0}


def test_it_is_applied_to_the_student_alone():
    model = tiny.build()
    config = dict(optimizer=dict(SGD), constructor='LayerDecayConstructor', paramwise_cfg=dict(layer_decay=0.5))
    wrapper = model.build_optim_wrapper(config)
    model.check_optimizer(wrapper)
    own = {id(parameter) for parameter in model.training_state.parameters()}
    groups = wrapper.optimizer.param_groups
    assert {id(each) for each in groups[-1]['params']} == own and groups[-1]['lr'] == 1.0
    assert [group['lr'] for group in groups[:-1]] == [0.25, 0.5, 1.0]


@pytest.mark.parametrize(
    ('given', 'told'),
    [
        ({}, 'paramwise_cfg.layer_decay: got nothing; expected a number above 0 and of at most 1'),
        (dict(layer_decay=1.5), 'paramwise_cfg.layer_decay: got 1.5; expected a number above 0 and of at most 1'),
        (dict(layer_decay=0.5, layers=[]), r'paramwise_cfg.layers: got \[\]'),
        (dict(layer_decay=0.5, layers=['backbone.x']), r"layers\[0\]: 'backbone.x' names no module"),
    ],
)
def test_mistakes_are_named(given, told):
    with pytest.raises((ValueError, KeyError), match=told):
        rates(build_model(tiny.recognizer()), **given)
