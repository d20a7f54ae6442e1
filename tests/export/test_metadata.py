import dataclasses

import numpy as np
import pytest
from exportable import noise, tiny_model

from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.core.version import __version__
from mmkd_video.export import DeployableRecognizer, ExportMetadata
from mmkd_video.export.input_rules import channel_order, sampling_rule

TSN = [dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=4), dict(type='Resize', scale=(32, 32))]
DENSE = [dict(type='SampleFrames', clip_len=4, frame_interval=2, num_clips=1)]
UNIFORM = [dict(type='UniformSample', clip_len=4)]


@pytest.fixture(scope='module')
def model():
    return DeployableRecognizer(tiny_model())


def describe(model, **more):
    return ExportMetadata.describe(model, np.stack(noise(1)), **more)


def test_says_what_the_file_takes(model):
    found = describe(model, classes=list('abcde'), pipeline=TSN, checkpoint_sha256='1f')
    assert found.classes == tuple('abcde')
    assert (found.layout, found.shape, found.dtype) == ('NCHW', (4, 3, 32, 32), 'uint8')
    assert (found.architecture, found.version) == ('Recognizer2D/ResNet/TSNHead', __version__)
    assert found.pipeline[1] == dict(type='Resize', scale=[32, 32])


@pytest.mark.parametrize(
    'pipeline, frames, interval', [(TSN, 4, None), (DENSE, 4, 2), (UNIFORM, 4, None), ([], 4, None)]
)
def test_frames_and_interval_come_from_the_sampler(model, pipeline, frames, interval):
    found = describe(model, pipeline=pipeline)
    assert (found.frames, found.interval) == (frames, interval)


def test_classes_without_names_are_numbers(model):
    assert describe(model).classes == ('0', '1', '2', '3', '4')


@pytest.mark.parametrize(
    'sampler',
    [
        dict(type='SampleFrames', clip_len=8, frame_interval=2),
        dict(type='mmaction.SampleFrames', clip_len=4, frame_interval=3, num_clips=3),
        dict(type='SampleFrames', clip_len=1, num_clips=7),
        dict(type='UniformSample', clip_len=6, num_clips=2),
    ],
    ids=['one clip', 'several clips', 'spread', 'uniform'],
)
def test_a_program_without_mmaction2_takes_the_pictures_of_the_test(sampler):
    sampler = dict(sampler, test_mode=True)
    formula = sampling_rule([sampler]).rpartition(': ')[2]
    taken = TRANSFORMS.build(sampler)
    for n in (1, 5, 12, 15, 16, 40, 97, 300):
        expected = taken(dict(total_frames=n, start_index=0))['frame_inds']
        clips = range(sampler.get('num_clips', 1))
        found = [eval(formula, dict(n=n, k=k, j=j)) for k in clips for j in range(sampler['clip_len'])]
        assert found == expected.tolist(), n


@pytest.mark.parametrize(
    'more', [dict(test_mode=False), dict(twice_sample=True), dict(out_of_bound_opt='repeat_last'), dict(target_fps=8)]
)
def test_what_has_no_short_formula_is_named(more):
    found = sampling_rule([{**dict(type='SampleFrames', clip_len=8, test_mode=True), **more}])
    assert found == 'as SampleFrames of MMAction2 takes them, with the arguments in the pipeline'


def test_colours_are_told_where_they_are_known(model):
    assert describe(model, pipeline=[dict(type='DecordDecode')]).channel_order == 'RGB'
    assert describe(model, pipeline=DENSE).channel_order is None
    assert channel_order([dict(type='RawFrameDecode')], 10) is None  # optical flow
    with pytest.raises(ValueError, match="channel_order: got 'BGR'; expected 'RGB' or None"):
        dataclasses.replace(describe(model), channel_order='BGR')


@pytest.mark.parametrize('batch', [0, True, '1'])
def test_an_impossible_batch(model, batch):
    with pytest.raises(ValueError, match='batch: got .*; expected a whole number of at least 1 or None'):
        describe(model, batch=batch)


def test_survives_being_written(model):
    before = dataclasses.replace(describe(model, pipeline=DENSE), precision='int8')
    assert ExportMetadata.from_strings(before.to_strings(), 'x') == before


def test_fields_of_a_later_version_are_left_out(model):
    before = describe(model)
    assert ExportMetadata.from_strings({**before.to_strings(), 'later': '1'}, 'x') == before


def test_wrong_number_of_names(model):
    with pytest.raises(ValueError, match='got 2 class names, but the model scores 5'):
        describe(model, classes=['a', 'b'])


def test_clips_of_another_layout(model):
    with pytest.raises(ValueError, match='expected 5 dimensions for the layout NCHW'):
        ExportMetadata.describe(model, np.zeros((1, 1, 3, 4, 8, 8), np.uint8))


def test_file_without_metadata():
    with pytest.raises(ValueError, match='other.onnx holds no metadata of mmkd_video'):
        ExportMetadata.from_strings({}, 'other.onnx')


@pytest.mark.parametrize(
    'architecture, classes, message',
    [('Recognizer2D/ResNet/TSNHead', 7, '5 classes, the config 7'), ('B', 5, 'builds B')],
)
def test_file_of_another_model(model, architecture, classes, message):
    with pytest.raises(ValueError, match=message):
        describe(model).expect_model(architecture, classes, 'x.onnx')
