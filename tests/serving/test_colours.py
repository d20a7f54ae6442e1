"""Clips that differ in nothing but colour: whoever swaps red and blue is found out."""

import cv2
import numpy as np
import pytest
import torch
from streams import CLASSES, TinyRecognizer, clip_of, steps

from mmkd_video.core.registry import build_model
from mmkd_video.export import DeployableRecognizer, ExportMetadata, export_onnx, load_exported
from mmkd_video.serving import OpenCVSource, Stream, StreamOptions, build_engine

COLOURS = {'red': (210, 40, 30), 'green': (30, 190, 50), 'blue': (40, 30, 210)}  # red, green and blue of each


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """Videos of 8 pictures of 64 x 64 pixels, of one colour each, all under the same pattern."""
    folder = tmp_path_factory.mktemp('colours')
    pattern = np.random.default_rng(0).uniform(0.7, 1.0, (8, 8, 8, 1)).repeat(8, 1).repeat(8, 2)
    for name, colour in COLOURS.items():
        writer = cv2.VideoWriter(str(folder / f'{name}.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 12, (64, 64))
        for shade in pattern:
            writer.write((shade * colour)[:, :, ::-1].astype(np.uint8))
        writer.release()
    return {name: folder / f'{name}.mp4' for name in COLOURS}


@pytest.fixture(scope='module', params=[False, True], ids=['mean of RGB', 'to_rgb'])
def shipped(request, videos, tmp_path_factory):
    """A recognizer that sees little but colour, and its file."""
    torch.manual_seed(0)
    recognizer = TinyRecognizer('NCTHW')
    settings = dict(mean=[123.0, 116.0, 103.0], std=[58.0] * 3, to_rgb=request.param, format_shape='NCTHW')
    recognizer.data_preprocessor = build_model(dict(type='ActionDataPreprocessor', **settings))
    model = DeployableRecognizer(recognizer)
    clip = clip_of(videos['red'], whole_pictures('OpenCV'))[0][None]
    metadata = ExportMetadata.describe(model, clip, CLASSES, whole_pictures('OpenCV'))
    return model, export_onnx(model, tmp_path_factory.mktemp('shipped') / 'a.onnx', clip, metadata)


def whole_pictures(decoder):
    """Return a test pipeline that takes 8 pictures in a row, whole."""
    start = [dict(type=f'{decoder}Init'), steps(interval=1)[1], dict(type=f'{decoder}Decode')]
    return [*start, dict(type='Resize', scale=(32, 32), keep_ratio=False), *steps()[-2:]]


@pytest.mark.parametrize('decoder', ['OpenCV', 'Decord'])
def test_decoders_give_the_order_that_the_metadata_name(videos, shipped, decoder):
    assert load_exported(shipped[1]).metadata.channel_order == 'RGB'
    for place, name in enumerate(COLOURS):
        clip = clip_of(videos[name], whole_pictures(decoder))[0]
        assert clip.mean((0, 2, 3, 4)).argmax() == place, name


def test_a_stream_scores_colours_as_the_model_does(videos, shipped):
    model, path = shipped
    engine = build_engine(load_exported(path, threads=1, batch=1))
    for name, video in videos.items():
        clip = clip_of(video, whole_pictures('OpenCV'))[0][None]
        expected, swapped = model.predict(clip)[0], model.predict(clip[:, :, ::-1])[0]
        (found,) = Stream(OpenCVSource(video), engine, StreamOptions(hop=8))
        np.testing.assert_allclose(found.scores, expected, atol=1e-5)
        assert name == 'green' or np.abs(swapped - expected).max() > 0.05  # else nothing would be seen
    engine.close()


def test_a_program_that_knows_nothing_but_the_metadata_scores_them_too(videos, shipped):
    model, path = shipped
    exported = load_exported(path, threads=1)
    metadata = exported.metadata
    for video in videos.values():
        capture = cv2.VideoCapture(str(video))
        pictures = [capture.read()[1] for _ in range(8)]
        formula = metadata.sampling.rpartition(': ')[2]
        chosen = [pictures[eval(formula, dict(n=8, k=0, j=j))] for j in range(metadata.frames)]
        small = np.stack([cv2.resize(each, metadata.shape[:-3:-1]) for each in chosen])
        small = small[..., ::-1] if metadata.channel_order == 'RGB' else small
        found = exported(np.ascontiguousarray(small.transpose(3, 0, 1, 2)[None, None]))
        expected = model.predict(clip_of(video, whole_pictures('OpenCV'))[0][None])
        np.testing.assert_allclose(found, expected, atol=1e-5)
