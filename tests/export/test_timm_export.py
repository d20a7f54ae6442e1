"""TSMs on models of timm as files."""

import numpy as np
import pytest
import timm_models
import torch
from exportable import lively, noise

from mmkd_video.core.registry import build_model
from mmkd_video.export import (
    PARITY_BOUNDS,
    DeployableRecognizer,
    check_parity,
    export_onnx,
    load_exported,
)

pytestmark = pytest.mark.torchvision


@pytest.fixture(scope='module', params=timm_models.NAMES)
def model(request):
    torch.manual_seed(0)
    recognizer = build_model(timm_models.tsm(request.param))
    for name, each in recognizer.named_parameters():
        if name.endswith('gamma'):
            each.data.fill_(1.0)  # untrained, FastViT's branches are scaled to nothing
    return DeployableRecognizer(lively(recognizer, clips()))


@pytest.fixture(scope='module')
def file(model, tmp_path_factory):
    pytest.importorskip('onnx')
    return export_onnx(model, tmp_path_factory.mktemp('timm') / 'a.onnx', np.stack(clips()[:1]))


def clips():
    """Return clips, and the same ones backwards."""
    found = noise(4, (timm_models.FRAMES, 3, 64, 64))
    return [*found, *(np.ascontiguousarray(clip[::-1]) for clip in found)]


@pytest.mark.parametrize('backend', ['onnxruntime', 'openvino'])
def test_file_says_what_the_model_says(model, file, backend):
    pytest.importorskip(backend)
    seen = model.predict(clips())
    assert np.abs(seen[:4] - seen[4:]).max() > 0.01, 'the order of frames must count, so that the shifts are at work'
    report = check_parity(model, load_exported(file, backend, 1), clips())
    assert report.passed and report.largest_difference < PARITY_BOUNDS['f32'].difference, str(report)
