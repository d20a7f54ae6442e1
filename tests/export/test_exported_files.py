"""Exported files in their real runtimes, on decoded clips."""

import dataclasses
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from clips import pipeline
from exportable import CLASSES, lively, noise, tiny_model, videos
from mmengine.config import Config
from zoo import config_of

from mmkd_video.core.registry import build_model
from mmkd_video.export import (
    DeployableRecognizer,
    ExportMetadata,
    OnnxRuntimeModel,
    OpenVINOModel,
    check_parity,
    export_onnx,
    export_openvino,
    load_exported,
    save_openvino,
)
from mmkd_video.recognizers.real_clips import real_clips

onnx = pytest.importorskip('onnx')
openvino = pytest.importorskip('openvino')
pytest.importorskip('onnxruntime')

HAS_BF16 = 'BF16' in openvino.Core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES')
RUNS = [('a.onnx', 'onnxruntime', 'f32'), ('a.onnx', 'openvino', 'f32'), ('a.xml', 'openvino', 'f32')]
if HAS_BF16:
    RUNS.append(('a.xml', 'openvino', 'bf16'))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with ``a.onnx``, ``a.xml`` and real videos."""
    folder = tmp_path_factory.mktemp('exported')
    videos(folder / 'videos')
    clips = np.stack(decoded(folder / 'videos', 4, 32, 'NCHW').clips[:1])
    export_onnx(tiny_model(), folder / 'a.onnx', clips)
    export_openvino(tiny_model(), folder / 'a.xml', clips)
    return folder


def decoded(root, frames, size, layout):
    dataset = dict(
        type='VideoDataset',
        ann_file=str(root / 'list.txt'),
        data_prefix=dict(video=str(root)),
        pipeline=pipeline(frames, size, train=False, layout=layout),
        test_mode=True,
    )
    return real_clips(Config(dict(model=dict(type='Recognizer2D'), test_dataloader=dict(dataset=dataset))), 4)


@pytest.mark.parametrize('name, backend, precision', RUNS)
def test_file_says_what_the_model_says(folder, name, backend, precision):
    found = decoded(folder / 'videos', 4, 32, 'NCHW')
    report = check_parity(tiny_model(), load_exported(folder / name, backend, 1, precision), found.clips, found.names)
    assert report.passed, str(report)
    assert report.spread > 0.01
    if precision == 'bf16':
        assert report.largest_difference > 1e-5  # else it did not run in bf16


def families():
    """Return the families; those that take torch long to trace are slow."""
    return [
        'i3d',
        *(pytest.param(name, marks=pytest.mark.slow) for name in ('tsm_mobilenet', 'x3d', 'slowfast', 'swin3d')),
        *(pytest.param(name, marks=pytest.mark.full) for name in ('tsn_r18', 'c3d', 'tsm_r50', 'timesformer')),
    ]


@pytest.mark.parametrize('name', families())
def test_every_family(tmp_path, name):
    config, (frames, height, _) = config_of(name)
    if name == 'swin3d':  # two of its stages: torch traces the whole for minutes
        config['backbone'].update(arch=dict(embed_dims=24, depths=[2, 2], num_heads=[2, 4]), out_indices=(1,))
        config['cls_head']['in_channels'] = 48
    layout = config['data_preprocessor']['format_shape']
    size = height if name == 'c3d' else min(height, 64)  # C3D has fixed widths
    videos(tmp_path / 'videos', count=4, frames=32, size=max(size, 64))
    found = decoded(tmp_path / 'videos', frames, size, layout)
    recognizer = lively(build_model(config), found.clips)
    if name == 'c3d':  # without batch norms, pixels of a hundred reach the head, and its scores would saturate
        recognizer.cls_head.fc_cls.weight.data.mul_(1e-3)
    model = DeployableRecognizer(recognizer)
    path = export_onnx(model, tmp_path / 'a.onnx', np.stack(found.clips[:1]))
    for backend in ('onnxruntime', 'openvino'):
        report = check_parity(model, load_exported(path, backend, threads=1), found.clips)
        assert report.passed, f'{backend}\n{report}'
    model.predict(found.clips)  # and nothing of the tracing is left in the model


def test_metadata_are_in_the_files(folder):
    expected = ExportMetadata.describe(
        DeployableRecognizer(tiny_model()), np.stack(decoded(folder / 'videos', 4, 32, 'NCHW').clips[:1])
    )
    for name, backend, _ in RUNS:
        assert load_exported(folder / name, backend).metadata == expected
    properties = {each.key: each.value for each in onnx.load(folder / 'a.onnx').metadata_props}
    assert properties['mmkd_video.classes'] == '["0", "1", "2", "3", "4"]'
    section = ElementTree.parse(folder / 'a.xml').find('rt_info/mmkd_video')
    assert section.find('layout').get('value') == '"NCHW"'


def test_opset_and_dynamic_batch(folder):
    model = onnx.load(folder / 'a.onnx')
    assert max(each.version for each in model.opset_import if each.domain in ('', 'ai.onnx')) >= 20
    clips = np.stack(noise(5))
    for name, backend, _ in RUNS:
        exported = load_exported(folder / name, backend, threads=1)
        for size in (1, 2, 5):
            assert exported(clips[:size]).shape == (size, CLASSES)
        assert exported.predict(clips, batch_size=2) == pytest.approx(exported(clips), abs=1e-5)


@pytest.mark.parametrize('name, backend, precision', RUNS[:1] + RUNS[2:3])
def test_fixed_batch(folder, name, backend, precision):
    exported = load_exported(folder / name, backend, threads=1, batch=2)
    clips = noise(3)
    assert exported.predict(clips) == pytest.approx(load_exported(folder / name, backend).predict(clips), abs=1e-5)
    with pytest.raises(ValueError, match='opened for batches of 2, got 3'):
        exported(np.stack(clips))


@pytest.mark.parametrize('name', ['b.onnx', 'b.xml'])
@pytest.mark.parametrize('size', [1, 2])
def test_a_batch_that_the_file_fixes(folder, tmp_path, name, size):
    model, clips = DeployableRecognizer(tiny_model()), np.stack(noise(5))
    metadata = ExportMetadata.describe(model, clips, batch=size)
    export = export_onnx if name == 'b.onnx' else export_openvino
    path = export(model, tmp_path / name, clips[:1], metadata)
    expected = load_exported(folder / name.replace('b', 'a'), threads=1)(clips)
    for options in (dict(), dict(batch=1), dict(batch=4)):  # larger batches run in pieces
        exported = load_exported(path, threads=1, **options)
        assert exported.metadata.batch == size
        assert exported.predict(clips) == pytest.approx(expected, abs=1e-5)
    assert load_exported(path, threads=1)(clips) == pytest.approx(expected, abs=1e-5)
    raw = openvino.Core().read_model(path)  # any other program finds fixed shapes
    assert [raw.input(0).partial_shape[0], raw.output(0).partial_shape[0]] == [size, size]
    if name == 'b.xml':
        assert not any(output.partial_shape.is_dynamic for node in raw.get_ops() for output in node.outputs())


def test_an_answer_is_not_overwritten_by_the_next(folder):
    exported = load_exported(folder / 'a.xml', threads=1)
    first, second = noise(1), noise(2)[1:]
    found = exported(np.stack(first))
    kept = found.copy()
    exported(np.stack(second))
    assert np.array_equal(found, kept)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['i3d', 'tsm_mobilenet'])
def test_dynamic_clip_count(tmp_path, name):
    config, (frames, *size) = config_of(name)
    flat = config['data_preprocessor']['format_shape'] == 'NCHW'

    def samples(count, number=3):
        return noise(number, (count * frames, 3, *size) if flat else (count, 3, frames, *size))

    model = DeployableRecognizer(lively(build_model(config), samples(1, 6)))
    example = np.stack(samples(1, 1))
    export_onnx(model, tmp_path / 'a.onnx', example, dynamic_clips=True)
    export_openvino(model, tmp_path / 'a.xml', example, dynamic_clips=True)
    for file, backend, _ in RUNS[:3]:
        exported = load_exported(tmp_path / file, backend, threads=1)
        for count in (1, 3):
            report = check_parity(model, exported, samples(count))
            assert report.passed and report.clips == 6, str(report)
    with pytest.raises(ValueError, match=r'takes clips \(N, any, 3, '):
        exported(np.zeros((1, 8, 3, 4, 24, 24)[: 5 if flat else 6], np.uint8))


def test_clips_of_another_shape_or_type_are_refused(folder):
    exported = load_exported(folder / 'a.onnx')
    with pytest.raises(
        ValueError, match=r'takes clips \(N, 4, 3, 32, 32\) in the layout NCHW, got \(1, 8, 3, 32, 32\)'
    ):
        exported(np.zeros((1, 8, 3, 32, 32), np.uint8))
    with pytest.raises(TypeError, match='takes uint8 frames as the pipeline decodes them'):
        exported(np.zeros((1, 4, 3, 32, 32), np.float32))


def test_wrong_names_and_options_are_refused(folder, tmp_path):
    for path, options, error, message in (
        ('b.onnx', {}, FileNotFoundError, 'there is no'),
        ('a.onnx', dict(backend='tflite'), ValueError, "backend: got 'tflite'"),
        ('a.pth', {}, ValueError, 'expected a file that ends in .onnx or .xml'),
        ('a.xml', dict(backend='onnxruntime'), ValueError, 'expected a file that ends in'),
        ('a.onnx', dict(precision='bf16'), ValueError, 'computes no bf16 on a CPU'),
        ('a.xml', dict(precision='int8'), ValueError, 'is not quantized'),
        ('a.xml', dict(precision='f16'), ValueError, "precision: got 'f16'"),
        ('a.xml', dict(threads=0), ValueError, 'threads: got 0'),
    ):
        with pytest.raises(error, match=message):
            load_exported(folder / path, **options)
    (tmp_path / 'a.xml').write_bytes((folder / 'a.xml').read_bytes())
    with pytest.raises(FileNotFoundError, match='needs the weights'):
        OpenVINOModel(tmp_path / 'a.xml')
    (tmp_path / 'b.onnx').write_bytes(b'nothing')
    for backend in (OnnxRuntimeModel, OpenVINOModel):
        with pytest.raises(ValueError, match='cannot read'):
            backend(tmp_path / 'b.onnx')


def test_foreign_file_is_refused(folder, tmp_path):
    model = onnx.load(folder / 'a.onnx')
    del model.metadata_props[:]
    onnx.save(model, tmp_path / 'a.onnx')
    for backend in ('onnxruntime', 'openvino'):
        with pytest.raises(ValueError, match='holds no metadata of mmkd_video'):
            load_exported(tmp_path / 'a.onnx', backend)


def test_an_openvino_model_is_written_with_other_metadata(folder, tmp_path):
    before = load_exported(folder / 'a.xml', threads=1)
    metadata = dataclasses.replace(before.metadata, precision='int8')
    path = save_openvino(openvino.Core().read_model(folder / 'a.xml'), tmp_path / 'b.xml', metadata)
    after = load_exported(path, threads=1)
    assert after.precision == 'int8' and after.metadata == metadata
    assert after.predict(noise(2)).shape == (2, CLASSES)


def test_existing_file_stays(folder):
    before = (folder / 'a.onnx').read_bytes()
    for export, name in ((export_onnx, 'a.onnx'), (export_openvino, 'a.xml')):
        with pytest.raises(FileExistsError, match='--force'):
            export(tiny_model(), folder / name, np.stack(noise(1)))
    assert (folder / 'a.onnx').read_bytes() == before


def test_what_torch_cannot_export_is_one_line(tmp_path):
    model = tiny_model()
    model.backbone.forward = lambda x: x[:, :, : int(x.sum())]  # depends on values
    with pytest.raises(RuntimeError, match='cannot export Recognizer2D/ResNet/TSNHead to ONNX: .'):
        export_onnx(model, tmp_path / 'a.onnx', np.stack(noise(1)))
    assert list(tmp_path.iterdir()) == []


def test_opset_below_20_is_refused(tmp_path):
    with pytest.raises(ValueError, match='opset: got 17, expected at least 20'):
        export_onnx(tiny_model(), tmp_path / 'a.onnx', np.stack(noise(1)), opset=17)
