"""A backend of a user's own: one class in one file, known to every tool by its name."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from exportable import noise, tiny_model

from mmkd_video.cli.quantize import default_out
from mmkd_video.core.registry import EXPORT_BACKENDS
from mmkd_video.export import (
    DeployableRecognizer,
    ExportMetadata,
    Int8Maker,
    backend_of_file,
    backend_of_format,
    check_parity,
    expect_int8_backend,
    export_backends,
    load_exported,
)
from mmkd_video.quantization import ConvolutionCount
from mmkd_video.recognizers.real_clips import RealClips
from mmkd_video.serving import build_engine
from mmkd_video.workflows.compress.settings import expect_blocks
from mmkd_video.workflows.deploy.quantized_student import Source, convert_trained, write_quantized
from mmkd_video.workflows.measure.deploy_runtimes import int8_runtimes


class WritesAnyGraph(Int8Maker):
    """Make nothing smaller: what is written is the model as it is, under the name of int8."""

    def load_libraries(self):
        """Need nothing."""

    def calibrate(self, exported, calibration, validation, score, max_drop, preset):
        raise NotImplementedError

    def convert(self, model, clips):
        return model

    def classify(self, graph, clips):
        return graph.predict(clips)

    def write(self, graph, path, metadata, force=False):
        backend_of_file(path).export(graph, path, np.stack(noise(1)), metadata, force=force)

    def count_convolutions(self, exported):
        return ConvolutionCount(2, ('last',))


@pytest.fixture
def torchscript():
    """Import a user's file anew, as ``custom_imports`` does, and forget its backend afterwards."""
    yield importlib.reload(importlib.import_module('torchscript_backend')).TorchScriptModel
    EXPORT_BACKENDS.module_dict.pop('TorchScriptModel', None)


def test_a_registered_backend_writes_opens_and_is_checked(torchscript, tmp_path):
    model, clips = tiny_model(), noise(4)
    writer = backend_of_format('torchscript')
    path = writer.export(model, tmp_path / 'a.ts', np.stack(clips[:1]))
    opened = load_exported(path)
    assert isinstance(opened, torchscript) and opened.metadata.shape == (4, 3, 32, 32)
    assert check_parity(model, opened, clips).passed
    assert writer.files(path) == [path] and backend_of_file(path) is writer
    with pytest.raises(FileExistsError, match='a.ts exists'):
        writer.export(model, path, np.stack(clips[:1]))


def test_a_backend_says_who_makes_its_int8_files(torchscript, monkeypatch, tmp_path):
    with pytest.raises(ValueError, match='--out a.ts: int8 is written for OpenVINO only, as .xml; TorchScript has'):
        expect_int8_backend('a.ts')
    assert list(int8_runtimes()) == ['openvino int8'] and default_out(Path('b/a.ts')) == Path('b/a_int8.xml')
    monkeypatch.setattr(torchscript, 'int8_maker', WritesAnyGraph())
    monkeypatch.setattr(torchscript, 'precisions', ('f32', 'int8'))
    assert expect_int8_backend('a.ts') is torchscript and expect_int8_backend('a').backend == 'openvino'
    assert list(int8_runtimes()) == ['openvino int8', 'torchscript int8']
    assert default_out(Path('b/a.ts')) == Path('b/a_int8.ts') and default_out(Path('a.pth')) == Path('a_int8.xml')
    model, clips = DeployableRecognizer(tiny_model()), noise(4)
    source = Source.trained(torchscript, model, ExportMetadata.describe(model, np.stack(clips[:1])))
    graph, scores = convert_trained(source, np.stack(clips[:1]), None)
    compared = RealClips(tuple(clips), tuple('abcd'), (-1,) * 4, ())
    found = write_quantized(source, graph, tmp_path / 'a.ts', compared, scores=scores)
    assert found.report.passed and load_exported(found.path).precision == 'int8'
    assert '1 of 2 convolutions run in int8' in str(found) and found.megabytes[1] > 0


def test_it_runs_in_the_engine_for_all(torchscript, tmp_path):
    path = torchscript.export(tiny_model(), tmp_path / 'a.ts', np.stack(noise(1)))
    model, clip = load_exported(path, 'torchscript', batch=1), noise(1)[0]
    engine = build_engine(model, 2)
    np.testing.assert_array_equal(engine.submit(clip)(), model(clip[None])[0])
    engine.close()


def test_what_a_backend_does_not_have_is_refused(torchscript, tmp_path):
    with pytest.raises(ValueError, match='--precision bf16: TorchScript has f32; choose one of these'):
        torchscript.expect_precision('bf16')
    torchscript.expect_precision('f32')
    assert torchscript.reason_against('f32') is None


def test_a_compression_may_be_measured_in_it(torchscript):
    expect_blocks(dict(benchmark=dict(runtimes=['eager', 'torchscript'])))
    EXPORT_BACKENDS.module_dict.pop('TorchScriptModel')
    with pytest.raises(ValueError, match="benchmark.runtimes: got .*; expected 'eager', 'compile', .* or a list"):
        expect_blocks(dict(benchmark=dict(runtimes=['eager', 'torchscript'])))


def test_names_that_are_not_registered_are_told():
    assert list(export_backends())[:2] == ['onnxruntime', 'openvino']
    with pytest.raises(ValueError, match="--format: got 'torchscript', expected one of onnx, openvino"):
        backend_of_format('torchscript')
    with pytest.raises(ValueError, match=r"got 'a.ts'; expected a file that ends in .onnx or .xml"):
        load_exported('a.ts')
    with pytest.raises(ValueError, match="backend: got 'torchscript', expected one of onnxruntime, openvino"):
        load_exported('a.onnx', 'torchscript')
