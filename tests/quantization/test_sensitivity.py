import numpy as np
import openvino as ov
import pytest
from irs import clips, separable

from mmkd_video.quantization import (
    count_convolutions,
    fold_constants,
    quantize_openvino,
    quantize_within,
    rank_layers,
)
from mmkd_video.quantization.sensitivity import run

pytest.importorskip('nncf')


def agreement_with(expected):
    return lambda found: -float(np.abs(found - expected).max())


def in_float(model):
    return count_convolutions(ov.Core().compile_model(model, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})).in_float


def test_nothing_stays_in_float_where_the_score_holds():
    model, samples = separable(), clips()
    result = quantize_within(model, samples, samples, agreement_with(run(model, samples)), max_drop=0.2)
    assert result.float_layers == () and in_float(result.model) == ()
    assert result.after == result.fully >= result.before - 0.2


def test_the_layer_that_8_bits_cannot_hold_stays_in_float():
    model, samples = separable(outlier=True), clips()
    result = quantize_within(model, samples, samples, agreement_with(run(model, samples)), max_drop=0.06)
    assert result.before - result.fully > 0.06
    assert result.float_layers == ('last',) == in_float(result.model)
    assert result.before - result.after <= 0.06


def test_the_worst_layer_is_ranked_first():
    model, samples = fold_constants(separable(outlier=True)), clips()
    quantized = quantize_openvino(model, samples)
    ranked = rank_layers(model, quantized, samples, run(model, samples))
    assert ranked[0] == 'last' and sorted(ranked) == ['depthwise', 'first', 'last']


def test_bad_input():
    model, samples = separable(), clips(2)
    with pytest.raises(ValueError, match='validation: got no clips'):
        quantize_within(model, samples, [], np.mean)
    with pytest.raises(ValueError, match='max_drop: got -1'):
        quantize_within(model, samples, samples, np.mean, max_drop=-1)
    with pytest.raises(ValueError, match='max_drop=0 cannot be reached'):
        quantize_within(model, samples, samples, agreement_with(run(model, samples)), max_drop=0)
