"""Frames and clips equal to those of the test pipeline."""

import dataclasses

import cv2
import numpy as np
import pytest
from clips import encode
from streams import TinyRecognizer, clip_of, metadata_for, steps

from mmkd_video.export import ExportMetadata
from mmkd_video.serving import FramePreparer

CROPS = [
    dict(type='CenterCrop', crop_size=32),
    dict(type='ThreeCrop', crop_size=48),
    dict(type='TenCrop', crop_size=32),
]


def pictures(path):
    capture, found = cv2.VideoCapture(str(path)), []
    while (answer := capture.read())[0]:
        found.append(answer[1])
    return found


def through_json(metadata):
    """As it comes back from a file."""
    return ExportMetadata.from_strings(metadata.to_strings(), 'a file')


@pytest.fixture
def video(tmp_path):
    encode(tmp_path / 'a.mp4', 1, frames=15)
    return tmp_path / 'a.mp4'


@pytest.mark.parametrize('crop', CROPS, ids=lambda crop: crop['type'])
@pytest.mark.parametrize('layout', ['NCTHW', 'NCHW'])
def test_a_window_is_what_the_pipeline_makes(tmp_path, video, layout, crop):
    metadata, _ = metadata_for(TinyRecognizer(layout), tmp_path, crop=crop)
    preparer = FramePreparer(through_json(metadata))
    expected, numbers = clip_of(video, steps(layout, crop=crop))
    images = pictures(video)
    found = preparer.assemble([preparer(images[number]) for number in numbers])
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


@pytest.mark.parametrize('layout', ['NCTHW', 'NCHW'])
def test_a_file_for_several_clips_gets_the_window_as_often(tmp_path, video, layout):
    metadata, clips = metadata_for(TinyRecognizer(layout), tmp_path, crop=dict(type='TenCrop', crop_size=32))
    shape = (clips.shape[1] * 2, *clips.shape[2:])
    several = ExportMetadata(**{**vars(metadata), 'shape': shape})
    images = pictures(video)[::2]
    once, twice = FramePreparer(metadata), FramePreparer(several)
    single = once.assemble([once(image) for image in images])
    double = twice.assemble([twice(image) for image in images])
    assert double.shape == shape
    per_crop = len(single) // 10
    for crop in range(10):
        for repeat in range(2):
            start = (2 * crop + repeat) * per_crop
            part = double[start : start + per_crop]
            np.testing.assert_array_equal(part, single[crop * per_crop : (crop + 1) * per_crop])
    dynamic = FramePreparer(ExportMetadata(**{**vars(several), 'dynamic_clips': True}))
    np.testing.assert_array_equal(dynamic.assemble([dynamic(image) for image in images]), single)


def test_float_frames(tmp_path, video):
    metadata, _ = metadata_for(TinyRecognizer('NCHW'), tmp_path)
    preparer = FramePreparer(ExportMetadata(**{**vars(metadata), 'dtype': 'float32'}))
    assert preparer(pictures(video)[0]).dtype == np.float32


def test_each_picture_by_its_own_size(tmp_path, video):
    metadata, _ = metadata_for(TinyRecognizer('NCHW'), tmp_path)
    preparer = FramePreparer(metadata)
    image = pictures(video)[0]
    for size in ((64, 64), (80, 64), (50, 200)):
        assert preparer(cv2.resize(image, size)).shape == (1, 3, 32, 32)


@pytest.mark.parametrize('crop', [32, 40])
def test_a_picture_that_is_too_small_is_named(tmp_path, crop):
    metadata, _ = metadata_for(TinyRecognizer('NCHW'), tmp_path)
    small = [dict(step) for step in metadata.pipeline if step['type'] != 'Resize']
    if crop == 40:  # cropped first, then resized, as the embedded clips are
        small.insert(4, dict(type='Resize', scale=[32, 32], keep_ratio=False))
    preparer = FramePreparer(ExportMetadata(**{**vars(metadata), 'pipeline': small}))
    with pytest.raises(ValueError, match='10 x 9 pixels'):
        preparer(np.zeros((9, 10, 3), np.uint8))


def test_a_file_without_a_pipeline_is_refused(tmp_path):
    metadata, _ = metadata_for(TinyRecognizer('NCHW'), tmp_path)
    with pytest.raises(ValueError, match='tools/export.py'):
        FramePreparer(ExportMetadata(**{**vars(metadata), 'pipeline': ()}))
    random = [*metadata.pipeline[:3], dict(type='RandomCrop', size=32), *metadata.pipeline[4:]]
    with pytest.raises(ValueError, match='RandomCrop'):
        FramePreparer(ExportMetadata(**{**vars(metadata), 'pipeline': random}))


def test_crops_that_do_not_divide_the_input_are_refused(tmp_path, video):
    metadata, _ = metadata_for(TinyRecognizer('NCTHW'), tmp_path, crop=dict(type='ThreeCrop', crop_size=48))
    odd = FramePreparer(ExportMetadata(**{**vars(metadata), 'shape': (4, *metadata.shape[1:])}))
    with pytest.raises(ValueError, match='do not divide'):
        odd(pictures(video)[0])


def preparer_for(folder, crop, fit=False, resize=True):
    metadata, _ = metadata_for(TinyRecognizer('NCTHW'), folder, crop=crop)
    pipeline = [step for step in metadata.pipeline if resize or step['type'] != 'Resize']
    return FramePreparer(dataclasses.replace(metadata, pipeline=tuple(pipeline)), fit=fit)


@pytest.mark.parametrize(
    ('crop', 'resize', 'size', 'seen'),
    [
        (dict(type='CenterCrop', crop_size=32), False, (720, 1280), 32 * 32 / (720 * 1280)),
        (dict(type='CenterCrop', crop_size=32), False, (64, 64), 0.25),
        (dict(type='CenterCrop', crop_size=32), True, (480, 640), 32 * 32 / (48 * 64)),  # resized to 48 first
        (dict(type='ThreeCrop', crop_size=48), True, (60, 120), 1.0),
    ],
)
def test_the_share_of_a_picture_that_the_model_sees(tmp_path, crop, resize, size, seen):
    preparer = preparer_for(tmp_path, crop, resize=resize)
    preparer(np.zeros((*size, 3), np.uint8))
    assert preparer.seen == pytest.approx(seen, rel=0.03)
    assert (preparer.warning is None) == (seen >= 0.25)


def test_a_little_share_is_told_and_fit_widens_it(tmp_path):
    crop, size = dict(type='CenterCrop', crop_size=32), (720, 1280, 3)
    plain, fitted = preparer_for(tmp_path, crop, resize=False), preparer_for(tmp_path, crop, True, resize=False)
    image = cv2.resize(np.random.default_rng(0).integers(0, 255, (9, 16, 3), dtype=np.uint8), size[1::-1])
    plain(image)
    found = fitted(image)
    assert plain.warning == (
        'the model sees 0.1% of each picture of 1280 x 720 pixels; --fit (fit=True) resizes pictures first, so that it '
        'sees more'
    )
    assert fitted.seen == pytest.approx(720 / 1280, rel=0.02) and fitted.warning is None
    small = cv2.resize(image, (57, 32), interpolation=cv2.INTER_AREA)[:, 12:44, ::-1]
    np.testing.assert_array_equal(found[0].transpose(1, 2, 0), small)


def test_fit_enlarges_what_is_too_small(tmp_path):
    image = np.zeros((20, 24, 3), np.uint8)
    crop = dict(type='CenterCrop', crop_size=32)
    with pytest.raises(ValueError, match=r'resize with --fit \(fit=True\)'):
        preparer_for(tmp_path, crop, resize=False)(image)
    fitted = preparer_for(tmp_path, crop, True, resize=False)
    assert fitted(image).shape == (1, 3, 32, 32) and fitted.seen == pytest.approx(20 / 24, rel=0.02)


def test_fit_leaves_pictures_alone_where_the_pipeline_resizes(tmp_path):
    crop = dict(type='CenterCrop', crop_size=32)
    image = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    np.testing.assert_array_equal(preparer_for(tmp_path, crop, True)(image), preparer_for(tmp_path, crop)(image))


def test_a_factor_on_a_factor_ends_before_all_memory_is_taken(tmp_path):
    metadata, _ = metadata_for(TinyRecognizer('NCHW'), tmp_path)
    larger = [dict(type='Resize', scale=16.0), dict(type='Resize', scale=16.0)]
    at = next(i for i, step in enumerate(metadata.pipeline) if step['type'] == 'Resize')
    pipeline = [*metadata.pipeline[:at], *larger, *metadata.pipeline[at:]]
    preparer = FramePreparer(ExportMetadata(**{**vars(metadata), 'pipeline': pipeline}))
    with pytest.raises(ValueError, match='640 x 480 pixels does not go through .*more than 8192 pixels a side'):
        preparer(np.zeros((480, 640, 3), np.uint8))
