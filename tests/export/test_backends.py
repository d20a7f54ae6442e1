"""A backend of a user's own: one class in one file, known to every tool by its name."""

import importlib

import numpy as np
import pytest
from exportable import noise, tiny_model

from mmkd_video.core.registry import EXPORT_BACKENDS
from mmkd_video.export import (
    backend_of_file,
    backend_of_format,
    check_parity,
    export_backends,
    load_exported,
)
from mmkd_video.serving import build_engine
from mmkd_video.workflows.compress.settings import expect_blocks


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
