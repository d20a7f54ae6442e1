import pytest
import torch
import zoo

from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.input_form import noise_clip
from mmkd_video.taps import norm_before


def find(name: str, tap: str) -> tuple:
    config, size = zoo.config_of(name)
    model = MODELS.build(config).eval()
    noise = noise_clip(model, size)
    with torch.no_grad():
        norm = norm_before(model, tap, 'teacher', lambda: model.extract_feat(noise, stage='head'))
    return norm, dict(model.named_modules())


@pytest.mark.parametrize(
    ('name', 'tap', 'expected'),
    [
        ('i3d', 'backbone.layer4:pre', 'backbone.layer4.1.conv2.bn'),
        ('i3d', 'backbone.layer4.1.relu:pre', 'backbone.layer4.1.conv2.bn'),
        ('i3d', 'backbone.layer4.1.conv1:pre', 'backbone.layer4.1.conv1.bn'),
        ('i3d', 'backbone.layer4.0:pre', 'backbone.layer4.0.conv2.bn'),
        ('i3d', 'backbone.layer4.1.conv2', 'backbone.layer4.1.conv2.bn'),
        ('tsn_r18', 'backbone.layer3:pre', 'backbone.layer3.1.conv2.bn'),
        ('tsm_mobilenet', 'backbone.conv2:pre', 'backbone.conv2.bn'),
    ],
)
def test_it_is_the_last_norm_of_the_main_branch(name: str, tap: str, expected: str) -> None:
    norm, modules = find(name, tap)
    assert norm is modules[expected]


def test_no_hook_stays() -> None:
    _, modules = find('i3d', 'backbone.layer4:pre')
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in modules.values())


def test_a_tap_behind_the_activation_is_refused() -> None:
    with pytest.raises(ValueError, match="an activation follows the batch norm; .* 'backbone.layer4:pre'"):
        find('i3d', 'backbone.layer4')


def test_a_model_without_batch_norm_is_refused() -> None:
    with pytest.raises(ValueError, match='no batch norm runs before it'):
        find('timesformer', 'backbone.transformer_layers')
