import numpy as np
import openvino as ov
import pytest
from irs import clips, separable

from mmkd_video.quantization import (
    DropTooLargeError,
    count_convolutions,
    fold_constants,
    quantize_openvino,
    quantize_within,
    rank_layers,
)
from mmkd_video.quantization.sensitivity import classify, classify_in_int8

pytest.importorskip('nncf')


def agreement_with(expected):
    return lambda found: -float(np.abs(found - expected).max())


def in_float(model):
    return count_convolutions(ov.Core().compile_model(model, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})).in_float


def test_nothing_stays_in_float_where_the_score_holds():
    model, samples = separable(), clips()
    result = quantize_within(model, samples, samples, agreement_with(classify(model, samples)), max_drop=0.2)
    assert result.float_layers == () and in_float(result.model) == ()
    assert result.after == result.fully >= result.before - 0.2


def test_the_layer_that_8_bits_cannot_hold_stays_in_float():
    model, samples = separable(outlier=True), clips()
    result = quantize_within(model, samples, samples, agreement_with(classify(model, samples)), max_drop=0.06)
    assert result.before - result.fully > 0.06
    assert result.float_layers == ('last',) == in_float(result.model)
    assert result.before - result.after <= 0.06


def test_layers_in_float_bring_accuracy_back():
    model, samples = separable(outlier=True), clips(64)
    expected = classify(model, samples)
    ranked = np.sort(expected, axis=1)
    clear = np.flatnonzero(ranked[:, -1] - ranked[:, -2] > 0.05)  # of the others the answer is a matter of chance
    samples, labels = [samples[index] for index in clear], expected[clear].argmax(axis=1)
    assert len(clear) > 20 and np.count_nonzero(np.bincount(labels)) == 3
    result = quantize_within(
        model, samples, samples, lambda found: float((found.argmax(axis=1) == labels).mean()), max_drop=0.1
    )
    assert result.before == 1.0 and result.fully < 0.8  # every third answer is lost
    assert result.float_layers == ('last',) == in_float(result.model) and result.after >= 0.9


def test_the_best_try_is_told_where_none_keeps_enough():
    model, samples = separable(outlier=True), clips(4)
    expected = classify(model, samples)
    with pytest.raises(DropTooLargeError, match='max_drop=0 cannot be reached') as failed:
        quantize_within(model, samples, samples, agreement_with(expected), max_drop=0)
    best = failed.value.best
    assert best.fully < best.after < best.before and best.float_layers
    assert agreement_with(expected)(classify_in_int8(best.model, samples)) == best.after


def test_the_worst_layer_is_ranked_first():
    model, samples = fold_constants(separable(outlier=True)), clips()
    quantized = quantize_openvino(model, samples)
    ranked = rank_layers(model, quantized, samples, classify(model, samples))
    assert ranked[0] == 'last' and sorted(ranked) == ['depthwise', 'first', 'last']


class Refused:
    """What OpenVINO says of a model that it cannot run, over several lines."""

    def __init__(self, *_):
        pass

    def compile_model(self, *_):
        raise RuntimeError('Exception from src/core.cpp:1:\nCheck failed\n\nThe shape is odd.\n')


class Undecodable(list):
    """Clips of which none can be read."""

    def __getitem__(self, _):
        raise RuntimeError('the decoder lost its thread')

    def __iter__(self):
        return (self[index] for index in range(len(self)))


def test_what_openvino_cannot_run_is_told_in_one_line_only_in_int8(monkeypatch):
    model, samples = separable(), clips(1)
    monkeypatch.setattr(ov, 'Core', Refused)
    with pytest.raises(
        RuntimeError, match=r'cannot run this model in int8 \(The shape is odd\.\);.*round_to=8'
    ) as told:
        classify_in_int8(model, samples)
    assert '\n' not in str(told.value)
    with pytest.raises(RuntimeError, match='^Exception from src'):
        classify(model, samples)


@pytest.mark.parametrize('classify', [classify, classify_in_int8])
def test_a_clip_that_cannot_be_classified_is_no_fault_of_the_model(classify):
    model, samples = separable(), clips(2)
    with pytest.raises(
        ValueError, match=r'clip 1 has the shape \(1, 3, 4, 12, 9\).*takes \(N, 1, 3, 4, 12, 12\).*resize'
    ):
        classify(model, [samples[0], samples[1][..., :9]])
    with pytest.raises(RuntimeError, match='^the decoder lost its thread$'):
        classify(model, Undecodable(samples))


def test_bad_input():
    model, samples = separable(), clips(2)
    with pytest.raises(ValueError, match='validation: got no clips'):
        quantize_within(model, samples, [], np.mean)
    with pytest.raises(ValueError, match='max_drop: got -1'):
        quantize_within(model, samples, samples, np.mean, max_drop=-1)
    with pytest.raises(ValueError, match='max_drop=0 cannot be reached'):
        quantize_within(model, samples, samples, agreement_with(classify(model, samples)), max_drop=0)
