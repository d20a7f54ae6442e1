import sys

import openvino as ov
import pytest
from irs import CLASSES, clips, separable

from mmkd_video.quantization import count_convolutions, fold_constants, quantizable_layers, quantize_openvino
from mmkd_video.quantization.sensitivity import classify

pytest.importorskip('nncf')


def compiled(model, hint='f32'):
    return ov.Core().compile_model(model, 'CPU', {'INFERENCE_PRECISION_HINT': hint})


@pytest.mark.parametrize('preset', ['mixed', 'performance'])
def test_every_convolution_runs_in_int8_and_says_nearly_the_same(preset):
    model, samples = separable(), clips()
    before = count_convolutions(compiled(model))
    assert (before.quantized, before.total) == (0, 3)
    quantized = quantize_openvino(model, samples, preset)
    count = count_convolutions(compiled(quantized))
    assert (count.quantized, count.total, count.in_float) == (3, 3, ())
    expected, found = classify(model, samples), classify(quantized, samples)
    assert expected.max(0).max() - expected.min(0).min() > 0.1
    assert found == pytest.approx(expected, abs=0.05)
    assert found.shape == (len(samples), CLASSES)


def test_a_channel_without_signal_does_not_push_a_depthwise_layer_into_float():
    quantized = quantize_openvino(separable(dead=True), clips())
    for hint in ('f32', 'bf16') if 'BF16' in ov.Core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES') else ('f32',):
        assert count_convolutions(compiled(quantized, hint)).in_float == ()


def test_the_model_given_is_not_changed():
    model = separable()
    operations = [node.get_type_name() for node in model.get_ordered_ops()]
    quantize_openvino(model, clips(2))
    assert [node.get_type_name() for node in model.get_ordered_ops()] == operations


def test_a_layer_can_stay_in_float():
    quantized = quantize_openvino(separable(), clips(), float_layers=['depthwise'])
    assert count_convolutions(compiled(quantized)).in_float == ('depthwise',)


def test_layers_are_listed_in_order():
    assert quantizable_layers(fold_constants(separable())) == ('first', 'depthwise', 'last')


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(clips=[]), 'calibration: got no clips'),
        (dict(preset='int4'), "preset: got 'int4'"),
        (dict(float_layers=['middle']), r"no layers \['middle'\]"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        quantize_openvino(**{'model': separable(), 'clips': clips(1), **options})


def test_missing_extra_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, 'nncf', None)
    with pytest.raises(ImportError, match=r"pip install 'mmkd_video\[quant\]'"):
        quantize_openvino(separable(), clips(1))
