"""Every family's convolutions run in int8, counted in the graph that OpenVINO executes."""

import re

import numpy as np
import pytest
import torch
from zoo import clip_for, config_of

from mmkd_video.core.registry import build_model
from mmkd_video.export import export_openvino
from mmkd_video.pruning import prune
from mmkd_video.quantization import count_convolutions, quantize_openvino, quantize_within
from mmkd_video.quantization.sensitivity import classify

pytest.importorskip('nncf')
pytest.importorskip('torch_pruning')
ov = pytest.importorskip('openvino')


def mobilenet3d():
    config, size = config_of('i3d')
    config['backbone'] = dict(type='MobileNet3d', widen_factor=0.25, depth_factor=0.5)
    config['cls_head']['in_channels'] = 1280
    return config, size


def x3d():
    config, _ = config_of('x3d')
    config['backbone'].update(num_stages=2, spatial_strides=(2, 2))
    config['cls_head']['in_channels'] = 108
    return config, (4, 32, 32)


def pruned_tsm():
    config, size = config_of('tsm_mobilenet')
    torch.manual_seed(0)
    pruned = prune(build_model(config), torch.randn(1, 8, 3, 32, 32), dict(params=0.6))
    preprocessor = config['data_preprocessor']
    config = dict(type='PrunedRecognizer', recognizer=config, history=pruned.to_json(), data_preprocessor=preprocessor)
    return config, size


FAMILIES = {
    'i3d': (lambda: config_of('i3d'), 20, 0),
    'x3d': (x3d, 18, 4),  # the gates of squeeze-and-excitation stay in float
    'tsm_mobilenet': (lambda: config_of('tsm_mobilenet'), 52, 0),
    'mobilenet3d': (mobilenet3d, 34, 0),
}


@pytest.mark.slow
@pytest.mark.parametrize('family', FAMILIES)
def test_every_convolution_of_a_family_runs_in_int8(family, tmp_path):
    make, total, gates = FAMILIES[family]
    config, size = make()
    torch.manual_seed(0)
    model = build_model(config)
    samples = [clip_for(config, size, seed).numpy() for seed in range(4)]
    path = export_openvino(model, tmp_path / 'a.xml', np.stack(samples[:1]))
    quantized = quantize_openvino(ov.Core().read_model(path), samples)
    compiled = ov.Core().compile_model(quantized, 'CPU')
    count = count_convolutions(compiled)
    assert (count.total, len(count.in_float)) == (total, gates), count.in_float
    names = {node.get_friendly_name(): node for node in quantized.get_ops()}
    for name in count.in_float:
        assert names[name].get_input_partial_shape(0)[2:].to_shape() == [1, 1, 1]
    probabilities = compiled([np.stack(samples)])[0]
    assert np.isfinite(probabilities).all() and probabilities.sum(1) == pytest.approx(np.ones(4), abs=1e-2)


@pytest.mark.slow
def test_what_openvino_cannot_run_is_told_with_the_remedy(tmp_path):
    config, size = pruned_tsm()  # six channels before a shift
    samples = [clip_for(config, size, seed).numpy() for seed in range(2)]
    path = export_openvino(build_model(config), tmp_path / 'a.xml', np.stack(samples[:1]))
    try:
        found = quantize_within(ov.Core().read_model(path), samples, samples, lambda found: 1.0)
    except RuntimeError as error:
        assert re.fullmatch(r'OpenVINO \S+ cannot run this model in int8 \(.+\); .*round_to=8.*', str(error))
    else:
        assert np.isfinite(classify(found.model, samples)).all()
