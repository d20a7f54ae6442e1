"""The command: one video, a folder, mistakes, ctrl-C."""

import dataclasses
import fcntl
import html
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import pytest
import torch
from clips import encode
from streams import CLASSES, FakeCamera, TinyRecognizer, export_tiny, metadata_for, steps

from mmkd_video.cli import stream as command
from mmkd_video.cli.stream import main
from mmkd_video.export import export_onnx
from mmkd_video.export.seal import _SEAL, BLANK, seal
from mmkd_video.serving import WindowQueue
from mmkd_video.workflows.stream import folder as stream_folder
from mmkd_video.workflows.stream import run as stream_run
from mmkd_video.workflows.stream.folder import FolderOfVideos

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    return str(export_tiny(tmp_path_factory.mktemp('model'), suffix='.xml'))


@pytest.fixture
def video(tmp_path):
    encode(tmp_path / 'a.mp4', 1, frames=40)
    return str(tmp_path / 'a.mp4')


def with_step(path, step):
    """Put a step of one's own into the pipeline in a file's metadata, and seal the file again."""
    if path.suffix == '.onnx':
        import onnx

        model = onnx.load(path)
        (found,) = (each for each in model.metadata_props if each.key == 'mmkd_video.pipeline')
        found.value = json.dumps([*json.loads(found.value)[:3], step, *json.loads(found.value)[3:]])
        onnx.save(model, path)
        seal_again(path, ['.onnx'])
        return
    text = path.read_text()
    before = '{&quot;type&quot;: &quot;Resize&quot;'
    assert before in text
    path.write_text(text.replace(before, html.escape(json.dumps(step)) + ', ' + before))
    seal_again(path, ['.xml', '.bin'])


def seal_again(path, suffixes):
    content, count = _SEAL.subn(BLANK.encode(), path.read_bytes(), count=1)
    assert count == 1
    path.write_bytes(content)
    seal(path, suffixes)


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


def run(*arguments):
    return main([*map(str, arguments), '--threads', '1'])


def fails(capsys, *arguments, code=1):
    with pytest.raises(SystemExit) as stopped:
        run(*arguments)
    error = capsys.readouterr().err
    assert stopped.value.code == code
    assert code == 2 or len(error.splitlines()) == 1  # after wrong usage, the usage is shown too
    return error


def test_lines_on_the_terminal(video, model, capsys):
    assert run(video, '--model', model, '--hop', 10, '--topk', 2) == 0
    said = capsys.readouterr()
    lines = lines_of(said.out)
    assert [line['frames'] for line in lines] == [[0, 14], [10, 24], [20, 34]]
    assert lines[1]['start'] == pytest.approx(10 / 12, abs=2e-3)
    for line in lines:
        assert line['dropped'] == 0 and line['latency_ms'] > 0
        assert len(line['top']) == 2 and {each['class'] for each in line['top']} < set(CLASSES)
        assert line['top'][0]['score'] >= line['top'][1]['score']
    assert '3 windows, 0 dropped, 40 frames, 0 corrupt' in said.err
    assert '\r' not in said.err  # no live line where nobody watches


@pytest.mark.parametrize('suffix', ['.onnx', '.xml'])
@pytest.mark.parametrize('kind', ['os.mkdir', 'mmengine.os.mkdir', 'os.system'])
def test_a_file_runs_nothing_of_its_own(video, tmp_path, capsys, suffix, kind):
    path, sentinel = export_tiny(tmp_path, suffix=suffix), tmp_path / 'sentinel'
    key, value = ('command', f'touch {sentinel}') if kind == 'os.system' else ('path', str(sentinel))
    with_step(path, {'type': kind, key: value})
    said = fails(capsys, video, '--model', path)
    assert f"{path}: pipeline: transform '{kind}' cannot be done" in said and 'expected Resize, CenterCrop' in said
    assert not sentinel.exists()


def test_a_file_and_an_annotated_video(video, model, tmp_path, capsys):
    out, annotated = tmp_path / 'new' / 'lines.jsonl', tmp_path / 'seen.mp4'
    assert run(video, '--model', model, '--out', out, '--annotate', annotated) == 0
    assert capsys.readouterr().out == ''
    assert len(lines_of(out.read_text())) == 4
    capture, count = cv2.VideoCapture(str(annotated)), 0
    while capture.grab():
        count += 1
    assert count == 40 and capture.get(cv2.CAP_PROP_FPS) == 12
    for name, path in (('--out', out), ('--annotate', annotated)):
        assert f'{path} exists' in fails(capsys, video, '--model', model, name, path)
    assert run(video, '--model', model, '--out', out, '--hop', 20, '--force') == 0
    assert len(lines_of(out.read_text())) == 2


def test_smoothing_changes_the_scores(video, model, capsys):
    scores = []
    for smooth in ('0', '0.9'):
        run(video, '--model', model, '--topk', 5, '--smooth', smooth)
        line = lines_of(capsys.readouterr().out)[-1]
        scores.append({each['class']: each['score'] for each in line['top']})
    assert scores[0] != scores[1]


def test_every_line_is_in_the_file_at_once(video, model, tmp_path, monkeypatch):
    out, sizes = tmp_path / 'lines.jsonl', []
    write = stream_run.JsonLines.write
    monkeypatch.setattr(
        stream_run.JsonLines, 'write', lambda self, value: (write(self, value), sizes.append(len(out.read_text())))
    )
    run(video, '--model', model, '--out', out, '--hop', 10)
    assert len(sizes) == 3 and sizes == sorted(set(sizes)) and sizes[0] > 0


def test_a_failure_of_opencv_is_one_line(video, model, capsys, monkeypatch):
    def fail(*arguments):
        raise cv2.error('cannot write')

    monkeypatch.setattr(command, '_run', fail)
    with pytest.raises(SystemExit) as stopped:
        main([str(video), '--model', str(model)])
    assert stopped.value.code == 1
    assert capsys.readouterr().err == 'error: cv2.error: cannot write (MMKD_TRACEBACK=1 shows where)\n'


def test_a_live_line_on_a_terminal(video, model, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True, raising=False)
    run(video, '--model', model)
    assert ' ms (p90 ' in capsys.readouterr().err.split('\r')[2]


def test_a_model_for_several_clips_is_told_to_be_slow(video, model, capsys, monkeypatch):
    monkeypatch.setattr(stream_run.Stream, '__iter__', lambda self: iter(setattr(self.preparer, 'repeats', 10) or ()))
    assert run(video, '--model', model) == 0
    assert 'takes 10 clips at once' in capsys.readouterr().err


@pytest.mark.parametrize('reopens', [0, 1])
def test_a_lost_camera(model, capsys, monkeypatch, reopens):
    camera = FakeCamera('.' * 20 + 'L' + '.' * 20, reopens=reopens)
    monkeypatch.setattr(stream_run, 'OpenCVSource', lambda name, threads: camera)
    options = ['--hop', 5, '--drop', 'none', '--pause', 0, '--reconnect', 2]
    assert run('0', '--model', model, *options) == 3
    said = capsys.readouterr()
    assert len(lines_of(said.out)) == 2 + 2 * reopens
    assert 'fake was lost' in said.err and f'source lost {1 + reopens} times' in said.err


def test_mistakes_are_told_in_one_line(video, model, tmp_path, capsys):
    no_video = tmp_path / 'text.mp4'
    no_video.write_text('hello')
    assert 'there is no file' in fails(capsys, tmp_path / 'nowhere.mp4', '--model', model)
    assert 'no video' in fails(capsys, no_video, '--model', model)
    assert 'nope.xml' in fails(capsys, video, '--model', tmp_path / 'nope.xml')
    assert '.onnx or .xml' in fails(capsys, video, '--model', video)
    for name, value in (('hop', 0), ('hop', -3), ('interval', 0), ('smooth', 1), ('topk', 0), ('queue', 0)):
        assert f"--{name}: got '{value}'" in fails(capsys, video, '--model', model, f'--{name}', value, code=2)
    assert "--requests: got '0'" in fails(capsys, video, '--model', model, '--requests', 0, code=2)
    assert 'ends in .mp4' in fails(capsys, video, '--model', model, '--annotate', tmp_path / 'x.avi')
    (tmp_path / 'empty').mkdir()
    assert 'holds no video' in fails(capsys, tmp_path / 'empty', '--model', model)


def test_a_model_of_somebody_else(video, tmp_path, capsys):
    from onnx import TensorProto, helper, save

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in ('in', 'out')]
    graph = helper.make_graph([helper.make_node('Relu', ['in'], ['out'])], 'foreign', ends[:1], ends[1:])
    path = tmp_path / 'foreign.onnx'
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 20)], ir_version=10), path)
    assert 'no metadata of mmkd_video' in fails(capsys, video, '--model', path)
    path.write_bytes(b'nonsense')
    assert 'cannot read' in fails(capsys, video, '--model', path)


def test_a_missing_runtime_is_named(video, model, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'openvino', None)
    assert "pip install 'mmkd_video[openvino]'" in fails(capsys, video, '--model', model)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / 'videos'
    (root / 'sub').mkdir(parents=True)
    for name in ('a.mp4', 'sub/a.mp4'):
        encode(root / name, 0, frames=30)
    (root / 'notes.txt').write_text('no video')
    return root


def test_a_folder_is_read_and_resumed(folder, model, tmp_path, capsys):
    out = tmp_path / 'out'
    broken = folder / 'b.mp4'
    broken.write_text('no video')
    arguments = [folder, '--model', model, '--out', out, '--hop', 5]
    assert run(*arguments) == 1
    assert 'b.mp4' in capsys.readouterr().err
    files = sorted(str(path.relative_to(out)) for path in out.rglob('*') if path.is_file())
    assert files == ['.streaming', 'a.mp4.jsonl', 'settings.json', 'sub/a.mp4.jsonl']
    assert len(lines_of((out / 'a.mp4.jsonl').read_text())) == 4
    kept = (out / 'a.mp4.jsonl').stat().st_mtime_ns
    broken.unlink()
    encode(broken, 1, frames=20)
    assert run(*arguments) == 0
    assert (out / 'a.mp4.jsonl').stat().st_mtime_ns == kept
    assert len(lines_of((out / 'b.mp4.jsonl').read_text())) == 2
    assert '3 of 3 videos done, 0 failed' in capsys.readouterr().err


def test_results_of_other_settings_are_not_mixed(folder, model, tmp_path, capsys):
    out = tmp_path / 'out'
    assert run(folder, '--model', model, '--out', out, '--hop', 5) == 0
    capsys.readouterr()
    assert 'hop 5, now 6' in fails(capsys, folder, '--model', model, '--out', out, '--hop', 6)
    other = tmp_path / 'tiny.xml'
    other.write_text(re.sub('sha256:[0-9a-f]{64}', 'none', Path(model).read_text()))
    other.with_suffix('.bin').write_bytes(Path(model).with_suffix('.bin').read_bytes())
    assert 'sha256' in fails(capsys, folder, '--model', other, '--out', out, '--hop', 5)
    assert run(folder, '--model', model, '--out', out, '--hop', 20, '--force') == 0
    assert len(lines_of((out / 'a.mp4.jsonl').read_text())) == 1
    (out / 'settings.json').unlink()
    capsys.readouterr()
    assert 'unknown settings' in fails(capsys, folder, '--model', model, '--out', out)


def test_what_is_not_for_folders(folder, model, tmp_path, capsys):
    assert '--annotate' in fails(capsys, folder, '--model', model, '--annotate', tmp_path / 'x.mp4')
    assert '--drop' in fails(capsys, folder, '--model', model, '--drop', 'oldest')


def test_a_wish_to_stop_between_two_videos(folder, model, tmp_path, capsys, monkeypatch):
    out, lines, before = tmp_path / 'out', [], signal.getsignal(signal.SIGINT)  # ignored in the background of a shell
    write = stream_folder.JsonLines.write

    def interrupted(self, value):
        write(self, value)
        lines.append(value)
        if len(lines) == 5:  # the first of the second video
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(stream_folder.JsonLines, 'write', interrupted)
    assert run(folder, '--model', model, '--out', out, '--hop', 5) == 143
    assert not (out / 'sub' / 'a.mp4.jsonl').exists()
    kept = lines_of((out / 'sub' / 'a.mp4.partial.jsonl').read_text())
    assert kept == lines[4:] and kept[0]['frames'] == [0, 14]  # every window that was finished
    assert signal.getsignal(signal.SIGINT) is before
    assert run(folder, '--model', model, '--out', out, '--hop', 5) == 0
    assert len(lines_of((out / 'sub' / 'a.mp4.jsonl').read_text())) == 4
    assert not list(out.rglob('*.partial.jsonl'))


@pytest.mark.parametrize('error', [RuntimeError('Exception from src:\ninfer'), cv2.error('Exception from src:\ninfer')])
def test_one_broken_video_does_not_end_the_folder(folder, model, tmp_path, capsys, monkeypatch, error):
    read = stream_run.Stream._collect

    def broken(self, window, result):
        if window.first == 5 and self._reader.source.name.endswith('videos/a.mp4'):
            raise error
        return read(self, window, result)

    monkeypatch.setattr(stream_run.Stream, '_collect', broken)
    out = tmp_path / 'out'
    assert run(folder, '--model', model, '--out', out, '--hop', 5) == 1
    assert len(lines_of((out / 'sub' / 'a.mp4.jsonl').read_text())) == 4
    assert len(lines_of((out / 'a.mp4.partial.jsonl').read_text())) == 1
    said = capsys.readouterr().err
    assert f'error: {folder / "a.mp4"}: Exception from src: infer\n' in said
    assert '1 of 2 videos done, 1 failed' in said


def test_one_process_at_a_time_writes_into_a_folder(folder, model, tmp_path, monkeypatch):
    read, out, held = FolderOfVideos._read, tmp_path / 'out', []

    def watched(self, path, *more):
        with open(out / '.streaming') as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held.append(path)
        return read(self, path, *more)

    monkeypatch.setattr(FolderOfVideos, '_read', watched)
    assert run(folder, '--model', model, '--out', out) == 0
    assert len(held) == 2


@pytest.mark.parametrize(('drop', 'kept'), [('oldest', [25, 39]), ('newest', [0, 14])])
def test_a_model_that_is_too_slow_drops_windows_and_counts_them(video, model, capsys, monkeypatch, drop, kept):
    read, close, build = threading.Event(), WindowQueue.close, stream_run.build_engine

    def slow(*arguments):
        engine = build(*arguments)
        submit = engine.submit
        monkeypatch.setattr(engine, 'submit', lambda clip: read.wait(60) and submit(clip))
        return engine

    monkeypatch.setattr(WindowQueue, 'close', lambda self: (close(self), read.set()))  # the whole video was read
    monkeypatch.setattr(stream_run, 'build_engine', slow)
    monkeypatch.setattr(stream_run.OpenCVSource, 'fps', 1000.0)
    assert run(video, '--model', model, '--hop', 5, '--queue', 1, '--realtime', '--drop', drop) == 0
    said = capsys.readouterr()
    lines = lines_of(said.out)
    assert kept in [line['frames'] for line in lines]
    assert 1 <= len(lines) <= 2  # one in the model at most, one that waits
    assert lines[-1]['dropped'] == 6 - len(lines)
    assert f'{len(lines)} windows, {6 - len(lines)} dropped, 40 frames' in said.err


def start(*arguments, **more):
    line = [sys.executable, str(ROOT / 'tools' / 'stream.py'), *map(str, arguments), '--threads', '1']
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return subprocess.Popen(line, env=environment, **{**pipes, **more})


@pytest.mark.slow
def test_ctrl_c_writes_what_was_finished(model, tmp_path):
    encode(tmp_path / 'long.mp4', 1, frames=1200)  # 100 seconds
    annotated = tmp_path / 'seen.mp4'
    process = start(tmp_path / 'long.mp4', '--model', model, '--hop', 4, '--realtime', '--annotate', annotated)
    first = [process.stdout.readline() for _ in range(3)]
    process.send_signal(signal.SIGINT)
    rest, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    lines = lines_of(''.join(first) + rest)
    assert [line['frames'][0] for line in lines] == list(range(0, 4 * len(lines), 4))
    assert f'{len(lines)} windows, 0 dropped' in error and 'Traceback' not in error
    assert cv2.VideoCapture(str(annotated)).get(cv2.CAP_PROP_FRAME_COUNT) >= lines[-1]['frames'][1]


@pytest.mark.slow
def test_a_reader_of_the_lines_that_goes_away(model, tmp_path):
    encode(tmp_path / 'long.mp4', 1, frames=600)
    process = start(tmp_path / 'long.mp4', '--model', model, '--hop', 1)
    process.stdout.readline()
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 141
    assert 'Traceback' not in error and 'BrokenPipe' not in error


def test_a_picture_of_which_little_is_seen_is_warned_about_once(tmp_path, capsys):
    torch.manual_seed(0)
    pipeline = [step for step in steps() if step['type'] != 'Resize']
    metadata, clips = metadata_for(TinyRecognizer('NCTHW'), tmp_path)
    cropped = dataclasses.replace(metadata, pipeline=tuple(pipeline))
    path = export_onnx(TinyRecognizer('NCTHW'), tmp_path / 'cropped.onnx', clips, cropped)
    folder = tmp_path / 'videos'
    folder.mkdir()
    for name in 'ab':
        encode(folder / f'{name}.mp4', 1, frames=40, size=160)
    warning = 'a.mp4: the model sees 4.0% of each picture of 160 x 160 pixels; --fit'
    assert run(folder / 'a.mp4', '--model', path) == 0
    assert capsys.readouterr().err.count(warning) == 1
    assert run(folder / 'a.mp4', '--model', path, '--fit') == 0
    assert 'of each picture' not in capsys.readouterr().err
    assert run(folder, '--model', path, '--out', tmp_path / 'out') == 0
    assert capsys.readouterr().err.count('of each picture') == 1
    assert 'fit False, now True' in fails(capsys, folder, '--model', path, '--out', tmp_path / 'out', '--fit')


def test_a_full_disk_reaches_the_exit_code_and_nothing_gets_its_name(video, model, tmp_path, capsys, file_size_limit):
    with file_size_limit(500):
        error = fails(capsys, video, '--model', model, '--out', os.devnull, '--force', '--annotate', tmp_path / 'b.mp4')
    assert 'is the disk full?' in error
    assert [path.name for path in tmp_path.iterdir()] == ['a.mp4']
