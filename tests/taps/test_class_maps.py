"""The tap ``cam``: where in time and space the evidence for every class lies."""

import pytest
import torch
import zoo

from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.input_form import noise_clip
from mmkd_video.taps import TapSet
from mmkd_video.teachers import FrozenTeacher
from mmkd_video.terms import Term, TermSpec


def read(name: str) -> tuple:
    config, size = zoo.config_of(name)
    model = MODELS.build(config).eval()
    taps, noise = TapSet(model, ['cam', 'logits'], 'student'), noise_clip(model, size)
    with taps.watch():
        model.extract_feat(noise, stage='head')
    return taps.read(noise), model


@pytest.mark.parametrize('name', ['tsm_mobilenet', 'tsn_r18', 'i3d'])
def test_their_average_with_the_bias_is_the_logits(name: str) -> None:
    found, model = read(name)
    assert found['cam'].ndim == 5 and found['cam'].shape[1] == found['logits'].shape[1]
    logits = found['cam'].mean((2, 3, 4)) + model.cls_head.fc_cls.bias
    assert torch.allclose(logits, found['logits'], atol=1e-5)


def test_the_gradient_reaches_backbone_and_classifier() -> None:
    found, model = read('i3d')
    found['cam'].square().sum().backward()
    assert model.cls_head.fc_cls.weight.grad.abs().sum() > 0
    assert model.backbone.layer4[0].conv1.conv.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ('name', 'message'),
    [('x3d', 'X3DHead has no single linear layer'), ('slowfast', 'SlowFastHead reads tuple, expected one map')],
)
def test_heads_without_such_maps_are_refused(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(name)


def test_the_teachers_maps_are_those_of_the_students_classes() -> None:
    config, size = zoo.config_of('i3d')
    torch.manual_seed(0)
    teacher = FrozenTeacher(config, checkpoint=None, classes=[2, 0])
    teacher.tap(['cam', 'logits'])
    found = teacher.features(noise_clip(teacher.module, size))
    logits = found['cam'].mean((2, 3, 4)) + teacher.module.cls_head.fc_cls.bias[[2, 0]]
    assert torch.allclose(logits, found['logits'], atol=1e-5)


def test_other_class_counts_are_no_matter_for_a_connector() -> None:
    spec = TermSpec.parse(dict(type='CATKDLoss', at='cam'), 0)
    with pytest.raises(ValueError, match='the student has 3 classes and the teacher 4'):
        Term(spec, {'cam': torch.randn(1, 3, 2, 2, 2)}, {'cam': torch.randn(1, 4, 2, 2, 2)})
