"""A pruned TSM-MobileNetV2, whose shifts move other channels than MMAction2's own, as files."""

import numpy as np
import pytest
import torch
from exportable import lively, noise
from zoo import config_of

from mmkd_video.core.registry import build_model
from mmkd_video.export import (
    PARITY_BOUNDS,
    DeployableRecognizer,
    check_parity,
    export_onnx,
    export_openvino,
    load_exported,
)
from mmkd_video.pruning import prune
from mmkd_video.recognizers.families import shifts_channels

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')
pytest.importorskip('torch_pruning')
pytest.importorskip('openvino')


@pytest.fixture(scope='module')
def clips():
    """Clips, and the same ones backwards."""
    found = noise(6, (8, 3, 32, 32))
    return [*found, *(np.ascontiguousarray(clip[::-1]) for clip in found)]


@pytest.fixture(scope='module')
def model(clips):
    torch.manual_seed(0)
    recognizer = build_model(config_of('tsm_mobilenet')[0])
    prune(recognizer, torch.randn(1, 8, 3, 32, 32), dict(params=0.6))
    shifts = [module for module in recognizer.modules() if shifts_channels(module)]
    assert any(module.shift_parts[0] != module.shift_parts[1] for module in shifts if hasattr(module, 'shift_parts'))
    model = DeployableRecognizer(lively(recognizer, clips))
    found = model.predict(clips)
    assert np.abs(found[:6] - found[6:]).max() > 0.01  # the order of frames counts, so the shifts are at work
    return model


@pytest.fixture(scope='module')
def files(model, clips, tmp_path_factory):
    folder = tmp_path_factory.mktemp('pruned')
    export_onnx(model, folder / 'a.onnx', np.stack(clips[:1]))
    export_openvino(model, folder / 'a.xml', np.stack(clips[:1]))
    return folder


@pytest.mark.parametrize('name, backend', [('a.onnx', 'onnxruntime'), ('a.onnx', 'openvino'), ('a.xml', 'openvino')])
def test_file_says_what_the_pruned_model_says(model, clips, files, name, backend):
    report = check_parity(model, load_exported(files / name, backend, 1), clips)
    assert report.passed and report.largest_difference < PARITY_BOUNDS['f32'].difference, str(report)
