"""Recognizers as files: ONNX and OpenVINO, their runtimes, and the proof that they say what the model says."""

from mmkd_video.export.deployable import DeployableRecognizer
from mmkd_video.export.exported_model import ExportedModel
from mmkd_video.export.exported_recognizer import ExportedRecognizer
from mmkd_video.export.frame_stream import FrameStream
from mmkd_video.export.int8_maker import Int8Maker
from mmkd_video.export.loading import (
    backend_of_file,
    backend_of_format,
    expect_backend,
    expect_int8_backend,
    export_backends,
    exported_suffixes,
    int8_backends,
    load_exported,
)
from mmkd_video.export.metadata import ExportMetadata
from mmkd_video.export.onnx_export import export_onnx, save_onnx
from mmkd_video.export.onnxruntime_model import OnnxRuntimeModel
from mmkd_video.export.openvino_export import export_openvino, save_openvino
from mmkd_video.export.openvino_model import OpenVINOModel
from mmkd_video.export.parity import PARITY_BOUNDS, ParityBound, ParityReport, check_parity
from mmkd_video.export.streaming_recognizer import StreamingRecognizer

__all__ = [
    'PARITY_BOUNDS',
    'DeployableRecognizer',
    'ExportMetadata',
    'ExportedModel',
    'ExportedRecognizer',
    'FrameStream',
    'Int8Maker',
    'OnnxRuntimeModel',
    'OpenVINOModel',
    'ParityBound',
    'ParityReport',
    'StreamingRecognizer',
    'backend_of_file',
    'backend_of_format',
    'check_parity',
    'expect_backend',
    'expect_int8_backend',
    'export_backends',
    'export_onnx',
    'export_openvino',
    'exported_suffixes',
    'int8_backends',
    'load_exported',
    'save_onnx',
    'save_openvino',
]
