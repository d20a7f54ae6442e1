"""Recognizers with modules over time as ONNX and OpenVINO files answer as in PyTorch; one of them in int8."""

import numpy as np
import pytest
import torch
from exportable import CLASSES, lively, noise

from mmkd_video.core.registry import build_model
from mmkd_video.export import check_parity, export_onnx, export_openvino, load_exported

LSTM = dict(type='ConvLSTM', peephole=True)
NECKS = {
    'convlstm': (dict(type='ConvRecurrentNeck', in_channels=64, channels=8, cell=LSTM, bidirectional=True), 16),
    'pyramid': (dict(type='SpaceTimePyramidPool', grids=((1, 1, 1), (3, 3, 3))), 28 * 64),
    'netvlad': (dict(type='NetVLADPool', in_channels=64, channels=8, clusters=4), 32),
    'gem': (dict(type='GeMPool'), 64),
    'attention': (dict(type='AttentionPool', in_channels=64), 64),
    'transformer': (dict(type='FrameTransformer', in_channels=64, channels=16, causal=True), 16),
    'several times': (dict(type='ConvRecurrentNeck', in_channels=64, channels=8, cell=LSTM, output='all'), 8),
    'windows': (dict(type='WindowPool', window=3), 64),
    'head gru': (None, None),
    'head lstm': (None, None),
}
SEVERAL_TIMES = ('several times', 'windows')


def model_of(name):
    neck, width = NECKS[name]
    head = dict(type='I3DHead' if name in SEVERAL_TIMES else 'TSNHead', in_channels=width)
    if width is None:
        head = dict(
            type='RecurrentHead', in_channels=64, channels=8, cell=name.split()[1], bidirectional='lstm' in name
        )
    net = dict(
        type='ResNet', depth=18, pretrained=None, num_stages=1, strides=(1,), dilations=(1,), out_indices=(0,),
        norm_eval=False,
    )  # fmt: skip
    config = dict(
        type='Recognizer2D',
        backbone=dict(type='FrameBackbone', net=net, num_segments=4),
        **(dict(neck=neck) if neck else {}),
        cls_head=dict(head, num_classes=CLASSES, average_clips='prob'),
        data_preprocessor=dict(type='ActionDataPreprocessor', format_shape='NCHW', mean=[100.0] * 3, std=[60.0] * 3),
    )
    return lively(build_model(config), noise(4))


@pytest.mark.parametrize('name', NECKS)
def test_files_answer_as_the_model(name, tmp_path):
    pytest.importorskip('onnxruntime')
    pytest.importorskip('openvino')
    model, clips = model_of(name), noise(4)
    onnx = export_onnx(model, tmp_path / 'a.onnx', np.stack(clips[:1]))
    openvino = export_openvino(model, tmp_path / 'a.xml', np.stack(clips[:1]))
    for path in (onnx, openvino):
        report = check_parity(model, load_exported(path), clips)
        assert report.passed, report
    answers = load_exported(onnx).predict(clips)
    assert np.ptp(answers, axis=0).max() > 1e-4, 'answers depend on the clips'


def test_a_convlstm_is_quantized(tmp_path):
    pytest.importorskip('nncf')
    ov = pytest.importorskip('openvino')
    from mmkd_video.quantization import quantize_openvino

    model, clips = model_of('convlstm'), noise(6)
    path = export_openvino(model, tmp_path / 'a.xml', np.stack(clips[:1]))
    compiled = ov.Core().compile_model(quantize_openvino(ov.Core().read_model(path), clips), 'CPU')
    with torch.no_grad():
        expected = load_exported(path).predict(clips)
    found = compiled([np.stack(clips)])[0]
    assert np.isfinite(found).all() and np.abs(found - expected).max() < 0.15
