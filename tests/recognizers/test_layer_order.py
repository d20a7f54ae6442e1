"""Layers of recognizers by name and by depth."""

import pytest
import zoo

from mmkd_video.core.registry import build_model
from mmkd_video.recognizers.layer_order import depths, find_modules, usual_layers

FIRST_AND_LAST = {
    'tsm_mobilenet': (9, 'conv1.conv.weight', 'conv2.conv.weight'),
    'i3d': (5, 'conv1.conv.weight', 'layer4.0.conv1.conv.weight'),
    'slowfast': (5, 'fast_path.conv1.conv.weight', 'slow_path.layer4.0.conv1.conv.weight'),
    'uniformer': (8, 'patch_embed1.proj.weight', 'blocks4.0.attn.qkv.weight'),
    'timesformer': (3, 'cls_token', 'transformer_layers.layers.1.ffns.0.norm.weight'),
    'mvit': (5, 'patch_embed.projection.weight', 'norm2.weight'),
}


@pytest.mark.parametrize('name', FIRST_AND_LAST)
def test_depth_grows_from_the_head_to_the_input(name):
    count, first, last = FIRST_AND_LAST[name]
    model = build_model(zoo.config_of(name)[0])
    layers = usual_layers(model)
    assert len(layers) == count, layers
    found = depths(model, layers, 'layers')
    assert set(found) == dict(model.named_parameters()).keys()
    assert found[f'backbone.{first}'] == count
    assert found[f'backbone.{last}'] == 1
    assert {depth for key, depth in found.items() if key.startswith('cls_head.')} == {0}


def test_lateral_connections_belong_to_the_stage_that_they_follow():
    model = build_model(zoo.config_of('slowfast')[0])
    found = depths(model, usual_layers(model), 'layers')
    assert (
        found['backbone.slow_path.layer1_lateral.conv.weight'] == found['backbone.fast_path.layer1.0.conv1.conv.weight']
    )


def test_patterns_mean_the_outermost_modules_and_a_slip_is_told():
    model = build_model(zoo.config_of('i3d')[0])
    assert list(find_modules(model, 'backbone.layer[12]', 'x')) == ['backbone.layer1', 'backbone.layer2']
    assert list(find_modules(model, 'backbone*', 'x')) == ['backbone']
    with pytest.raises(KeyError, match=r"x: 'backbone.layr1' names no module of Recognizer3D.*'backbone.layer1'"):
        find_modules(model, 'backbone.layr1', 'x')
