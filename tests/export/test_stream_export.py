"""Files that take one frame at a time, in their real runtimes."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from clips import encode
from mmengine.config import Config
from streamed import MOBILENET, MOVINET, recognizer, scores
from streams import clip_of

from mmkd_video.export import DeployableRecognizer, ExportMetadata, StreamingRecognizer, check_parity, load_exported
from mmkd_video.export.exported_model import ExportedModel
from mmkd_video.export.onnxruntime_model import OnnxRuntimeModel
from mmkd_video.export.openvino_model import OpenVINOModel
from mmkd_video.workflows.deploy import quantize

onnx = pytest.importorskip('onnx')
pytest.importorskip('openvino')
pytest.importorskip('onnxruntime')

KINDS = {'tsm': (dict(MOBILENET, difference_gain=2.0), 1280), 'movinet': (MOVINET, 240)}
RUNS = [('a.onnx', 'onnxruntime'), ('a.onnx', 'openvino'), ('a.xml', 'openvino')]


def pipeline(kind):
    return [
        dict(type='OpenCVInit'),
        dict(type='SampleFrames', clip_len=4, frame_interval=2, num_clips=1, test_mode=True),
        dict(type='OpenCVDecode'),
        dict(type='Resize', scale=(48, 48), keep_ratio=False),
        dict(type='FormatShape', input_format='NCHW' if kind == 'tsm' else 'NCTHW'),
        dict(type='PackActionInputs'),
    ]


def model_of(kind):
    model = recognizer(*KINDS[kind])
    model.data_preprocessor.mean.fill_(120.0)
    model.data_preprocessor.std.fill_(60.0)
    clips = torch.rand(8, 4, 3, 48, 48) * torch.linspace(20, 255, 8).reshape(-1, 1, 1, 1, 1)
    with torch.no_grad():
        found, classifier = scores(model, (clips - 120) / 60), model.cls_head.fc_cls
        factor = 1 / found.std(dim=0).max()  # else probabilities are 0 or 1
        classifier.weight.mul_(factor)
        classifier.bias.copy_((classifier.bias - found.mean(dim=0)) * factor)
    return DeployableRecognizer(model)


def written(folder, kind):
    """Write both files of a model; return it, real clips, and the description."""
    model, clips = model_of(kind), []
    for index in range(4):
        encode(folder / f'{index}.mp4', index, frames=16, seed=index)
        clips.append(clip_of(folder / f'{index}.mp4', pipeline(kind))[0])
    streaming = StreamingRecognizer(model, clips[0])
    states = [dict(name=name, shape=shape) for name, shape in streaming.states.items()]
    metadata = ExportMetadata.describe(model, np.stack(clips[:1]), None, pipeline(kind), batch=1, states=states)
    OnnxRuntimeModel.export_stream(streaming, folder / 'a.onnx', metadata)
    OpenVINOModel.export_stream(streaming, folder / 'a.xml', metadata)
    return model, clips, metadata


@pytest.fixture(scope='module', params=KINDS)
def files(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return folder, *written(folder, request.param)


@pytest.fixture(scope='module')
def tsm(tmp_path_factory):
    folder = tmp_path_factory.mktemp('one')
    return folder, *written(folder, 'tsm')


@pytest.mark.parametrize('name, backend', RUNS)
def test_frame_by_frame_the_file_says_what_the_model_says_of_clips(files, name, backend):
    folder, model, clips, metadata = files
    exported = load_exported(folder / name, backend, threads=1, batch=1)
    assert [dict(each, shape=tuple(each['shape'])) for each in exported.metadata.states] == list(metadata.states)
    report = check_parity(model, exported, clips)
    assert report.passed and 0.9 > report.spread > 0.01 and report.largest_difference < 1e-4, str(report)


@pytest.mark.parametrize('name, backend', RUNS)
def test_two_videos_in_one_file_do_not_meet(files, name, backend):
    folder, model, clips, metadata = files
    exported = load_exported(folder / name, backend, threads=1)
    expected = model.predict(clips)
    streams = exported.begin(), exported.begin()
    axis = 0 if metadata.layout == 'NCHW' else 2
    for frames in zip(*(np.moveaxis(clip if axis == 0 else clip[0], axis and 1, 0) for clip in clips[:2]), strict=True):
        found = [stream(frame) for stream, frame in zip(streams, frames, strict=True)]
    assert np.abs(np.stack(found) - expected[:2]).max() < 1e-4
    streams[0].reset()
    for frame in np.moveaxis(clips[2] if axis == 0 else clips[2][0], axis and 1, 0):
        found = streams[0](frame)
    assert np.abs(found - expected[2]).max() < 1e-4


def with_states(folder, place, states, **more):
    """Write the file again with metadata that say something else."""
    model = onnx.load(folder / 'a.onnx')
    metadata = json.loads(json.dumps(states))
    for each in model.metadata_props:
        if each.key == 'mmkd_video.states':
            each.value = json.dumps(metadata)
        elif each.key.removeprefix('mmkd_video.') in more:
            each.value = json.dumps(more[each.key.removeprefix('mmkd_video.')])
    kept = [each for each in model.metadata_props if not each.key.endswith('.digest')]
    pairs = {each.key: each.value for each in kept}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, pairs)
    onnx.save(model, str(place))
    return place


HOSTILE = [
    (lambda states: states[1:], {}, 'but the file has'),
    (lambda states: [], {}, 'got 0, but the file has'),
    (lambda states: [dict(states[0], shape=[1, 2]), *states[1:]], {}, 'they differ in'),
    (lambda states: [dict(states[0], name='other'), *states[1:]], {}, 'they differ in'),
    (lambda states: [*states, states[0]], {}, 'a name twice'),
    (lambda states: [dict(states[0], name='../../x')], {}, 'text of the form'),
    (lambda states: [dict(states[0], shape=[2**20, 2**20])], {}, 'more than 2147483648 bytes'),
    (lambda states: [dict(states[0], shape=[-1])], {}, 'a whole number of 1'),
    (lambda states: [dict(states[0], command='rm')], {}, 'unknown key'),
    (lambda states: states * 1000, {}, 'a list of 0 to 1000'),
    (lambda states: 'all', {}, 'a list'),
    (lambda states: states, dict(batch=None), 'one clip at once'),
    (lambda states: states, dict(dynamic_clips=True), 'one clip at once'),
]


@pytest.mark.parametrize('backend', ['onnxruntime', 'openvino'])
@pytest.mark.parametrize('change, more, message', HOSTILE)
def test_states_in_metadata_are_not_believed(tsm, tmp_path, backend, change, more, message):
    folder, _, _, metadata = tsm
    states = [dict(each, shape=list(each['shape'])) for each in metadata.states]
    place = with_states(folder, tmp_path / 'b.onnx', change(states), **more)
    with pytest.raises(ValueError, match=message) as found:
        load_exported(place, backend)
    assert len(str(found.value)) < 500 and '\n' not in str(found.value)


def test_models_that_see_no_streams_are_refused():
    clips = np.zeros((4, 3, 48, 48), np.uint8)
    two_way = recognizer(dict(MOBILENET, type='MobileNetV2TSM'), 1280, type='TSMHead')
    with pytest.raises(ValueError, match='has no layer that remembers earlier frames'):
        StreamingRecognizer(DeployableRecognizer(two_way), clips)
    other_head = recognizer(MOBILENET, 1280, type='TSMHead')
    with pytest.raises(ValueError, match='takes no single frames .* such as OnlineTSMHead'):
        StreamingRecognizer(DeployableRecognizer(other_head), clips)
    both = recognizer(dict(MOBILENET, type='MobileNetV2TSM'), 1280)
    with pytest.raises(ValueError, match='takes no single frames'):
        StreamingRecognizer(DeployableRecognizer(both), clips)
    whole = recognizer(dict(MOVINET, causal=False), 240)
    with pytest.raises(ValueError, match='differ by .* looks at later frames'):
        StreamingRecognizer(DeployableRecognizer(whole), np.zeros((1, 3, 4, 48, 48), np.uint8))
    with pytest.raises(ValueError, match='gives 2 clips of a video; expected one'):
        StreamingRecognizer(model_of('movinet'), np.zeros((2, 3, 4, 48, 48), np.uint8))
    with pytest.raises(ValueError, match='gives 2 clips of a video; expected one'):
        StreamingRecognizer(model_of('tsm'), np.zeros((8, 3, 48, 48), np.uint8))


def test_a_backend_without_states_says_so(tsm):
    folder, _, _, metadata = tsm
    with pytest.raises(ValueError, match='--stream: OpenVINO has no files with states'):
        ExportedModel.export_stream.__func__(OpenVINOModel, None, folder / 'x', metadata)


def test_metadata_with_states_survive_being_written(tsm):
    *_, metadata = tsm
    found = ExportMetadata.from_strings(metadata.to_strings(), 'x')
    states = tuple(dict(each, shape=list(each['shape'])) for each in metadata.states)
    assert found == dataclasses.replace(metadata, states=states) and found.streams


def test_a_file_with_states_is_not_quantized(tsm):
    folder, *_ = tsm
    with pytest.raises(ValueError, match='takes one frame at a time; .* give the checkpoint'):
        quantize._exported(Config(), OpenVINOModel, folder / 'a.xml')
