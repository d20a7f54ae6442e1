"""Streams of models that take one frame at a time."""

import dataclasses
import json

import numpy as np
import pytest
from clips import encode
from streamed import MOBILENET, recognizer
from streams import FakeCamera, clip_of, export_tiny

from mmkd_video.cli.benchmark import main as benchmark
from mmkd_video.cli.stream import main
from mmkd_video.export import DeployableRecognizer, ExportMetadata, StreamingRecognizer, load_exported
from mmkd_video.export.onnxruntime_model import OnnxRuntimeModel
from mmkd_video.export.openvino_model import OpenVINOModel
from mmkd_video.serving import FrameByFrame, OpenCVSource, Stream, StreamOptions, build_engine

FRAMES, INTERVAL = 4, 2
PIPELINE = [
    dict(type='OpenCVInit'),
    dict(type='SampleFrames', clip_len=FRAMES, frame_interval=INTERVAL, num_clips=1, test_mode=True),
    dict(type='OpenCVDecode'),
    dict(type='Resize', scale=(-1, 48)),
    dict(type='CenterCrop', crop_size=32),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs'),
]


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """A model, its files, and videos as long as one clip and longer."""
    folder = tmp_path_factory.mktemp('frames')
    encode(folder / 'one.mp4', 1, frames=(FRAMES - 1) * INTERVAL + 1, seed=1)
    encode(folder / 'long.mp4', 2, frames=21, seed=2)
    recognized = recognizer(dict(MOBILENET, difference_gain=0.02), 1280)
    recognized.cls_head.fc_cls.weight.data.mul_(0.02)
    model = DeployableRecognizer(recognized)
    clip = clip_of(folder / 'one.mp4', PIPELINE)[0]
    streaming = StreamingRecognizer(model, clip)
    states = [dict(name=name, shape=shape) for name, shape in streaming.states.items()]
    metadata = ExportMetadata.describe(model, clip[None], list('abcde'), PIPELINE, batch=1, states=states)
    OnnxRuntimeModel.export_stream(streaming, folder / 'a.onnx', metadata)
    OpenVINOModel.export_stream(streaming, folder / 'a.xml', metadata)
    return folder, model, clip, metadata


def predictions(path, video, **options):
    engine = build_engine(load_exported(path, threads=1, batch=1))
    stream = Stream(
        OpenCVSource(video) if not isinstance(video, FakeCamera) else video, engine, StreamOptions(**options)
    )
    return list(stream), stream


@pytest.mark.parametrize('name', ['a.onnx', 'a.xml'])
def test_after_a_clip_the_stream_says_what_the_model_says_of_it(files, name):
    folder, model, clip, _ = files
    found, stream = predictions(folder / name, folder / 'one.mp4')
    expected = model.predict([clip])[0]
    assert np.abs(found[-1].scores - expected).max() < 1e-4 < np.abs(found[0].scores - expected).max()
    assert [(each.first, each.last) for each in found] == [(0, 0), (0, 2), (0, 4), (0, 6)]
    again, _ = predictions(folder / name, folder / 'one.mp4')
    assert np.array_equal(again[-1].scores, found[-1].scores)


def test_every_picture_is_computed_once_at_any_hop(files, monkeypatch):
    folder = files[0]
    scores = {}
    for hop in (1, 2, 4, 8):
        engine, submitted = build_engine(load_exported(folder / 'a.onnx', threads=1)), []
        submit = engine.submit
        monkeypatch.setattr(engine, 'submit', lambda *a, submit=submit, kept=submitted: kept.append(1) or submit(*a))
        for each in Stream(OpenCVSource(folder / 'long.mp4'), engine, StreamOptions(hop=hop)):
            scores.setdefault(hop, {})[each.last] = each.scores
        assert len(submitted) == (21 if hop == 1 else 11)
        assert list(scores[hop]) == list(range(0, 21, hop))
        assert all(np.allclose(each, scores[1][last], atol=1e-6) for last, each in scores[hop].items())


def test_pictures_in_between_are_another_chain(files, monkeypatch):
    folder = files[0]
    model = load_exported(folder / 'a.onnx', threads=1)
    engine, frames = build_engine(model), []
    submit = engine.submit
    monkeypatch.setattr(engine, 'submit', lambda frame, *more: frames.append((frame, more)) or submit(frame, *more))
    found = [each.scores for each in Stream(OpenCVSource(folder / 'long.mp4'), engine, StreamOptions(hop=1))]
    assert [more for _, more in frames] == [(number % 2, 0) for number in range(21)]
    for chain in (0, 1):
        alone = model.begin()
        expected = [alone(frame) for frame, (of, _) in frames if of == chain]
        assert np.allclose(found[chain::2], expected, atol=1e-6)


def test_a_gap_begins_anew_and_so_does_another_video(files):
    folder = files[0]
    camera = FakeCamera('....L....', reopens=1)
    found, stream = predictions(folder / 'a.onnx', camera, pause=0.0, hop=1, drop='none')
    assert stream.statistics.losses >= 1
    assert [each.first for each in found][4:] == [4, 4, 4, 4]
    engine = build_engine(load_exported(folder / 'a.onnx', threads=1))
    videos = [list(Stream(OpenCVSource(folder / 'one.mp4'), engine)) for _ in range(2)]
    assert all(np.array_equal(one.scores, two.scores) for one, two in zip(*videos, strict=True))


@pytest.mark.parametrize('hop', [3, 0, 5])
def test_hops_that_do_not_go_with_the_interval(files, hop):
    with pytest.raises(ValueError, match=rf'hop: got {hop}; .* sees a frame every 2 pictures; expected a part of 2'):
        FrameByFrame(files[3], INTERVAL, hop)


def test_too_many_chains(files):
    large = dataclasses.replace(files[3], states=(dict(name='a', shape=[2**20, 100]),))
    with pytest.raises(ValueError, match='would keep 10 times its states, more than 2147483648 bytes'):
        FrameByFrame(large, 10, 1)


def test_a_whole_clip_is_no_frame(files):
    folder, _, clip, _ = files
    engine = build_engine(load_exported(folder / 'a.onnx', threads=1))
    with pytest.raises(ValueError, match=r'takes a frame \(3, 32, 32\) of uint8 at a time, got \(4, 3, 32, 32\)'):
        engine.submit(clip)


def test_the_tool_runs_it_on_a_video_and_on_a_folder(files, tmp_path, capsys):
    folder = files[0]
    assert main([str(folder / 'long.mp4'), '--model', str(folder / 'a.xml'), '--out', str(tmp_path / 'a.jsonl')]) == 0
    lines = [json.loads(line) for line in (tmp_path / 'a.jsonl').read_text().splitlines()]
    assert [line['frames'][1] for line in lines] == list(range(0, 21, 2))
    videos = tmp_path / 'videos'
    videos.mkdir()
    for name in ('one', 'two'):
        (videos / f'{name}.mp4').write_bytes((folder / 'long.mp4').read_bytes())
    assert main([str(videos), '--model', str(folder / 'a.xml'), '--out', str(tmp_path / 'out')]) == 0
    for name in ('one', 'two'):
        found = [json.loads(line) for line in (tmp_path / f'out/{name}.mp4.jsonl').read_text().splitlines()]
        assert [each['top'] for each in found] == [each['top'] for each in lines]


@pytest.mark.usefixtures('quiet_machine')
def test_the_benchmark_puts_it_beside_sliding_windows(files, tmp_path):
    windowed = export_tiny(tmp_path, layout='NCTHW')
    short = ['--frames', '40', '--rounds', '1', '--max-rounds', '1', '--warmup', '0', '--hop', '1']
    both = ['--model', str(files[0] / 'a.onnx'), '--beside', str(windowed), '--out', str(tmp_path / 'out.json')]
    report = benchmark(['stream', *both, *short])
    names = [row.name for row in report.rows]
    assert 'hop 1: time of a prediction, stream / stream, sliding windows' in names
    (row,) = [row for row in report.rows if row.name == 'hop 1: time of a prediction, stream / stream, sliding windows']
    assert row.target == 0.2 and row.value > 0
    assert 'sliding windows' in report.facts
