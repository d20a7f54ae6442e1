"""A teacher in half precision, and in float32 beside a student with AMP."""

import distillations
import pytest
import tiny
import torch
import zoo

from mmkd_video.teachers import FrozenTeacher

TAPS = ['logits', 'pooled', 'backbone.layer1']
OTHER_TAPS = dict(swin3d=['logits', 'pooled', 'backbone.layers.1'])


def teachers(kind, precision, **keys):
    """Return two teachers of the same weights, the first as it is and the second with a precision."""
    built = []
    for each in (None, precision):
        torch.manual_seed(0)
        built.append(FrozenTeacher(config=zoo.config_of(kind)[0], checkpoint=None, precision=each, **keys))
        built[-1].tap(OTHER_TAPS.get(kind, TAPS))
    return built


def clip(kind, device='cpu'):
    config, size = zoo.config_of(kind)
    data = FrozenTeacher(config=config, checkpoint=None).data_preprocessor(zoo.batch_for(config, size), False)
    return data['inputs'].to(device)


def close(found, expected, within):
    return all((found[tap] - expected[tap]).norm() <= within * expected[tap].norm() for tap in expected)


@pytest.mark.parametrize(
    'kind', ['i3d', *(pytest.param(name, marks=pytest.mark.slow) for name in ('tsn_r18', 'swin3d'))]
)
def test_scores_and_features_are_those_of_float32_within_the_rounding_of_bf16(kind):
    plain, half = teachers(kind, 'bf16')
    inputs = clip(kind)
    expected, found = plain.features(inputs), half.features(inputs)
    assert all(feature.dtype == torch.float32 for feature in found.values())
    assert close(found, expected, 0.03) and not close(found, expected, 1e-4)
    sizes = {torch.bfloat16: 0, torch.float32: 0}
    for parameter in half.module.backbone.parameters():
        sizes[parameter.dtype] += parameter.numel()
    assert sizes[torch.bfloat16] > 9 * sizes[torch.float32]
    assert half.module.cls_head.fc_cls.weight.dtype == torch.float32
    assert half.fingerprint != plain.fingerprint
    data = zoo.batch_for(*zoo.config_of(kind))
    assert torch.allclose(half.predict(data), plain.predict(data), atol=0.03)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='float16 is computed on a GPU, and there is none')
def test_float16_on_a_gpu():
    plain, half = teachers('i3d', 'f16')
    for each in (plain, half):
        each.module.cuda()
    inputs = clip('i3d', 'cuda')
    assert close(half.features(inputs), plain.features(inputs), 0.01)


@pytest.mark.parametrize('precision', ['f32', 'bf16', None])
def test_amp_of_the_student_reaches_a_teacher_without_a_precision_only(precision):
    plain, ours = teachers('i3d', precision)
    inputs = clip('i3d')
    expected = (plain if precision == 'f32' else ours).features(inputs)
    with torch.autocast('cpu', torch.bfloat16):
        found = ours.features(inputs)
    assert all(torch.equal(found[tap], expected[tap]) for tap in TAPS) is (precision is not None)


def test_the_students_training_is_not_otherwise_touched():
    states = []
    for keys in ({}, dict(precision='bf16')):
        torch.manual_seed(0)
        model = tiny.build(teacher=keys, terms=[tiny.KD])
        torch.manual_seed(1)
        data = model.data_preprocessor(zoo.batch_for(tiny.recognizer(), tiny.SIZE), True)
        losses = distillations.step(model, data)
        states.append((losses, torch.get_rng_state(), dict(model.student.named_parameters())))
    (plain, state, parameters), (half, drawn, ours) = states
    assert torch.equal(plain['loss_cls'], half['loss_cls']) and torch.equal(state, drawn)
    assert half['loss_kd'].dtype == torch.float32
    assert float(half['loss_kd']) == pytest.approx(float(plain['loss_kd']), rel=0.02)
    assert not torch.equal(half['loss_kd'], plain['loss_kd'])
    for name, parameter in parameters.items():
        assert ours[name].dtype == torch.float32 and torch.allclose(ours[name].grad, parameter.grad, atol=0.02), name


def test_another_precision_is_refused():
    with pytest.raises(ValueError, match="precision: got 'int8'; expected 'f32', 'bf16' or 'f16' or None"):
        teachers('i3d', 'int8')
