"""A stream beside its stages, measured once on a short video."""

import json

import cv2
import pytest
from streams import export_tiny

from dev import update_benchmarks
from mmkd_video.benchmark import Timings
from mmkd_video.cli.benchmark import main
from mmkd_video.export import load_exported
from mmkd_video.serving import FramePreparer, OpenCVSource, build_engine
from mmkd_video.workflows.measure.stream import APART, DECODE, INFER, STREAM, Stages, make_video, stream_rows

pytestmark = pytest.mark.usefixtures('quiet_machine')


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    return str(export_tiny(tmp_path_factory.mktemp('benchmark')))


def test_every_row_is_there(model, tmp_path, capsys):
    out, page = tmp_path / 'out.json', tmp_path / 'page.md'
    page.write_text('<!-- begin benchmark stream -->\n<!-- end benchmark stream -->\n')
    short = ['--frames', '40', '--rounds', '1', '--max-rounds', '1', '--warmup', '0', '--hop', '2', '16']
    report = main(['stream', '--model', model, *short, '--out', str(out)])
    update_benchmarks.main([str(out), '--page', str(page)])
    assert [row.name for row in report.rows] == [
        f'hop {hop}: {name}'
        for hop in (2, 16)
        for name in (*(f'windows per second, {each}' for each in (DECODE, INFER, APART, STREAM)),
                     'time of the stream / slower stage alone', f'time of the stream / {APART}',
                     'CPU time of the stream / both stages')
    ]  # fmt: skip
    saved = json.loads(out.read_text())
    assert [saved['raw'][f'hop {hop}']['windows'] for hop in (2, 16)] == [13, 2]
    assert {name: len(each['wall']) for name, each in saved['raw']['hop 2']['seconds'].items()} == {
        DECODE: 1, INFER: 1, APART: 1, STREAM: 1,
    }  # fmt: skip
    assert '40 pictures' in page.read_text() and 'saved in' in capsys.readouterr().out


def test_the_stream_is_compared_with_the_slower_stage_of_each_round():
    walls = {DECODE: [1.0, 2.0, 1.0], INFER: [2.0, 1.0, 4.0], APART: [2.0, 2.0, 4.0], STREAM: [2.0, 2.2, 4.48]}
    walls = {name: wall * 3 for name, wall in walls.items()}
    timings = {name: Timings(wall, [value / 2 for value in wall]) for name, wall in walls.items()}
    *speeds, ratio, handing, work = stream_rows(timings, windows=10, hop=4)
    assert [row.value for row in speeds] == [10, 5, 5, pytest.approx(10 / 2.2)]
    assert ratio.value == pytest.approx(1.1) and ratio.met
    assert (ratio.interval.low, ratio.interval.high) == (1, 1.12)
    assert handing.value == pytest.approx(1.1) and handing.met is None
    assert work.value == pytest.approx(2.2 / 3) and work.met is None
    timings[STREAM] = Timings([4.0, 4.0, 8.0] * 3, [1.0] * 9)
    assert stream_rows(timings, 10, 4)[-3].verdict == 'NOT met'


def test_wall_times_beside_other_load_are_no_numbers():
    timings = {name: Timings([1.0] * 6, [0.5] * 6, True) for name in (DECODE, INFER, APART, STREAM)}
    *wall, cpu = stream_rows(timings, windows=10, hop=4)
    assert all(row.cells()[1] == 'not measured: other load' for row in wall) and wall[4].verdict == 'not shown'
    assert cpu.value == pytest.approx(0.5)


def test_the_stages_do_all_of_the_work(model, tmp_path, monkeypatch):
    make_video(tmp_path / 'a.mp4', 30)
    capture = cv2.VideoCapture(str(tmp_path / 'a.mp4'))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 30
    engine = build_engine(load_exported(model, threads=1, batch=1))
    submitted, grabbed = [], []
    submit, grab = engine.submit, OpenCVSource.grab
    monkeypatch.setattr(engine, 'submit', lambda clip: submitted.append(1) or submit(clip))
    monkeypatch.setattr(OpenCVSource, 'grab', lambda self: grabbed.append(1) or grab(self))
    laid_out, assemble = [], FramePreparer.assemble
    monkeypatch.setattr(FramePreparer, 'assemble', lambda self, frames: laid_out.append(1) or assemble(self, frames))
    stages = Stages(engine, lambda: OpenCVSource(tmp_path / 'a.mp4'), hop=5)
    assert (stages.windows, stages.pictures) == (4, 30)
    done = {}
    for name in ('decode', 'infer', 'apart', 'stream'):
        for each in (laid_out, submitted, grabbed):
            each.clear()
        getattr(stages, name)()
        done[name] = (len(laid_out), len(submitted), len(grabbed) >= 30)
    assert done == dict(decode=(4, 0, True), infer=(0, 4, False), apart=(4, 4, True), stream=(4, 4, True))


def test_a_missing_model_is_told(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(['stream', '--model', str(tmp_path / 'nope.onnx'), '--out', str(tmp_path / 'out.json')])
    assert 'nope.onnx' in capsys.readouterr().err
