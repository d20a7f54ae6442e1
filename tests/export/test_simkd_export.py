"""A student that keeps its teacher's classifier is exported whole: backbone, projector and classifier."""

import numpy as np
import pytest
from exportable import lively, noise, tiny_config

from mmkd_video.core.registry import build_model
from mmkd_video.export import DeployableRecognizer, check_parity, export_onnx, load_exported

pytest.importorskip('onnx')
pytest.importorskip('onnxscript')
pytest.importorskip('onnxruntime')


def test_the_file_holds_projector_and_classifier(tmp_path) -> None:
    config = tiny_config()
    config['cls_head'] = dict(
        type='SimKDHead', num_classes=5, in_channels=64, teacher_channels=24, num_segments=4, average_clips='prob'
    )
    model = DeployableRecognizer(lively(build_model(config)))
    clips = noise(6)
    path = export_onnx(model, tmp_path / 'a.onnx', np.stack(clips[:1]))
    report = check_parity(model, load_exported(path, 'onnxruntime', threads=1), clips)
    assert report.passed, str(report)
    assert report.spread > 0.01
